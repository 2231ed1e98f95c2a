import type { ApiClient } from './api-client.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** What a command has to work with. */
export interface CommandContext {
  readonly api: ApiClient;
  readonly terminal: Terminal;
  /** `json`: exactly one JSON document (or one a line, for streams) on standard output. */
  readonly output: 'text' | 'json';
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** Aborts when the user asks to stop (Ctrl-C). */
  readonly signal: AbortSignal;
}

/** Prints a result as JSON, or as the lines that `render` makes of it. */
export function print<Value>(
  context: CommandContext,
  value: Value,
  render: (value: Value) => readonly string[],
  code: ExitCode = exitCodes.ok,
): ExitCode {
  if (context.output === 'json') context.terminal.line(JSON.stringify(value, undefined, 2));
  else for (const line of render(value)) context.terminal.line(line);
  return code;
}
