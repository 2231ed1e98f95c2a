import { pino, type DestinationStream } from 'pino';

import { FleetError } from '../domain/errors.ts';
import type { Redactor } from './redact.ts';

/** The log of a process, for operators: constant lower-case messages, variables as fields. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** One that adds these fields to every line. */
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly redact: Redactor;
  /** Takes whole lines. Defaults to standard output. */
  readonly write?: (line: string) => void;
  /** Fields of every line: which program this is. */
  readonly base?: object;
}

/** JSON lines. Every one passes the redactor as a whole: field names, messages, stacks, causes. */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  const stream: DestinationStream = { write: (line) => write(options.redact(line)) };
  return pino(
    {
      level: options.level,
      base: options.base ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withPlainErrors },
      serializers: {},
    },
    stream,
  );
}

/** Errors have no enumerable fields: without this they are logged as `{}`, whatever key they are under. */
function withPlainErrors(fields: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    out[key] = value instanceof Error ? plainError(value, 0) : value;
  }
  return out;
}

const deepestCause = 5;

function plainError(error: Error, depth: number): object {
  const cause = error.cause;
  return {
    type: error.name,
    message: error.message,
    ...(error instanceof FleetError
      ? {
          code: error.code,
          disposition: error.disposition,
          hint: error.hint,
          details: error.details,
        }
      : {}),
    stack: error.stack,
    ...(cause === undefined || depth >= deepestCause
      ? {}
      : { cause: cause instanceof Error ? plainError(cause, depth + 1) : cause }),
  };
}

/** Says nothing. For tests, and for commands whose output is for people. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
