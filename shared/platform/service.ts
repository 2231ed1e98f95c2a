import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type {
  InternalToken,
  ParsedConfig,
  RedisAccess,
  ServiceConfigInput,
} from '../contracts/service-config.ts';
import { FleetError } from '../domain/errors.ts';
import type { Logger } from './logger.ts';
import type { RedisAddress } from './redis/client.ts';

/** What both programs do around their work: read the configuration, find secrets, end in order. */

/** The configuration's file is the first argument, or `VARVE_CONFIG`; without either the environment says all. */
export function serviceConfigInput(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServiceConfigInput {
  const path = argv[0] ?? env['VARVE_CONFIG'];
  const readText = (file: string): string => readFileSync(file, 'utf8');
  return {
    text: path === undefined ? undefined : readConfig(path, readText),
    path: path ?? 'environment',
    env,
    readFile: readText,
  };
}

function readConfig(path: string, read: (path: string) => string): string {
  try {
    return read(path);
  } catch (cause) {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `the configuration ${path} cannot be read`,
      hint: 'give the path of a YAML file as the first argument, or in VARVE_CONFIG',
      cause,
    });
  }
}

/** Prints what is wrong with the configuration, for people, and ends with 78 (EX_CONFIG). */
export function configOrExit<Config>(parse: () => ParsedConfig<Config>): ParsedConfig<Config> {
  try {
    return parse();
  } catch (thrown) {
    if (!(thrown instanceof FleetError)) throw thrown;
    process.stderr.write(`${thrown.message}\n${thrown.hint === undefined ? '' : `  ${thrown.hint}\n`}`);
    process.exit(78);
  }
}

export function redisAddress(access: RedisAccess): RedisAddress {
  if (access.kind === 'socket') return { kind: 'socket', path: access.path };
  if (access.password === undefined) return access;
  const url = new URL(access.url);
  url.password = access.password;
  return { kind: 'url', url: url.href };
}

/**
 * The token that controller and workers share. Where it is kept in a file, the controller makes it (`make`), and a
 * worker that starts first waits for it.
 */
export async function internalToken(token: InternalToken, make: boolean): Promise<string> {
  if (token.kind === 'given') return token.token;
  const deadline = Date.now() + (make ? 0 : tokenWaitMs);
  for (;;) {
    try {
      return notEmpty(token.path, (await readFile(token.path, 'utf8')).trim());
    } catch (cause) {
      if (cause instanceof FleetError) throw cause;
      if (make) break;
      if (Date.now() < deadline) {
        await pause(100);
        continue;
      }
      throw new FleetError({
        code: 'CONFIG_INVALID',
        disposition: 'stalled',
        message: `the internal token ${token.path} cannot be read`,
        hint: 'the controller makes it at its first start; give the worker the same file, or `internalToken`',
        cause,
      });
    }
  }
  return makeRandomFile(token.path);
}

/** A random text that a data folder keeps: the same after every restart, another one in another folder. */
export async function lastingId(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => '');
  return known.trim() === '' ? makeRandomFile(path) : known.trim();
}

async function makeRandomFile(path: string): Promise<string> {
  const made = randomBytes(32).toString('hex');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // Complete before it has its name: who looks meanwhile sees none or all of it.
  await writeFile(`${path}.new`, `${made}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return made;
}

const tokenWaitMs = 30_000;

function notEmpty(path: string, token: string): string {
  if (token !== '') return token;
  throw new FleetError({
    code: 'CONFIG_INVALID',
    disposition: 'stalled',
    message: `the internal token ${path} is empty`,
    hint: 'remove the file: the controller makes a new one at its next start',
  });
}

/** Closers, called in the reverse order of their registration, each with its errors logged. */
export interface Closers {
  add(what: string, close: () => Promise<void> | void): void;
  close(): Promise<void>;
}

export function createClosers(logger: Logger): Closers {
  const closers: { what: string; close: () => Promise<void> | void }[] = [];
  return {
    add: (what, close) => void closers.push({ what, close }),
    async close() {
      for (const { what, close } of closers.splice(0).reverse()) {
        try {
          await close();
        } catch (err) {
          logger.warn({ what, err }, 'closing failed');
        }
      }
    },
  };
}

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function untilSignalled(logger: Logger): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      logger.info({ signal }, 'stopping');
      controller.abort();
    });
  }
  return controller.signal;
}
