import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { FleetError } from '../domain/errors.ts';
import { boundedHead, boundedTail, createLineSplitter } from './output.ts';
import { howToGet } from './program-hints.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment. Without it: what `baseEnvironment` lets through. */
  readonly env?: Readonly<Record<string, string>>;
  /** For standard input, which is closed after it. Without it standard input is empty. */
  readonly input?: Uint8Array | string;
  /** Ends the process (and all that it started) when it aborts. */
  readonly signal?: AbortSignal;
  readonly deadlineMs: number;
  /** Called with every line of output as it comes, without its line end. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /**
   * Takes standard output as it comes; none of it is kept then. What it throws ends the program, and is thrown when it
   * is a FleetError.
   */
  readonly onOutput?: (chunk: Buffer) => void;
  /** How much of standard output is kept; defaults to 64 MiB. What comes after that is read and dropped. */
  readonly maxOutputBytes?: number;
}

export interface RunResult {
  readonly argv: readonly string[];
  /** The exit status; `undefined` when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: Buffer;
  /** Standard output was longer than `maxOutputBytes`: only its beginning is here. */
  readonly truncated: boolean;
  /** The last 64 KiB of standard error. */
  readonly stderrTail: string;
  readonly durationMs: number;
}

/**
 * Runs a program to its end, without a shell and in a process group of its own. Resolves for every exit status.
 * When the deadline passes or the signal aborts, the whole group is asked to end, and killed five seconds later.
 * @throws FleetError PROGRAM_MISSING, TIMED_OUT, CANCELLED; INTERNAL when the system cannot start it
 */
export type Run = (argv: readonly [string, ...string[]], options: RunOptions) => Promise<RunResult>;

const keptStdoutBytes = 64 * 1024 * 1024;
const keptStderrBytes = 64 * 1024;
/** How long after the program's own end something that it started may keep its output open. */
const lingerMs = 1_000;

const passedOn = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'TMPDIR', 'TZ', 'TERM', 'SSH_AUTH_SOCK'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME'],
  ...['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'],
]);

/** What programs may see of this process's environment: nothing that could be a secret of Varve's. */
export function baseEnvironment(
  from: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const [name, value] of Object.entries(from)) {
    if (value !== undefined && (passedOn.has(name) || name.startsWith('NIX_') || name.startsWith('LC_'))) {
      seen[name] = value;
    }
  }
  return seen;
}

export interface RunTuning {
  /** Between asking a group to end and killing it; defaults to five seconds. */
  readonly graceMs?: number;
}

export function createRun(tuning: RunTuning = {}): Run {
  const graceMs = tuning.graceMs ?? 5_000;
  return async (argv, options) => {
    const [program, ...args] = argv;
    if (options.signal?.aborted) throw cancelled(program);
    const startedAt = performance.now();
    const child = start(program, args, options);
    const stdout = boundedHead(options.maxOutputBytes ?? keptStdoutBytes);
    const stderr = boundedTail(keptStderrBytes);
    const group = createGroup(child, graceMs);

    let why: FleetError | undefined;
    const endWith = (reason: FleetError): void => {
      why ??= reason;
      group.terminate();
    };
    const splitters = (['stdout', 'stderr'] as const).map((name) => {
      const handle = (act: () => void): void => {
        try {
          act();
        } catch (thrown) {
          endWith(
            thrown instanceof FleetError
              ? thrown
              : broken(program, 'its output could not be handled', thrown),
          );
        }
      };
      const lines = createLineSplitter((line) => handle(() => options.onLine?.(line, name)));
      child[name]?.on('data', (chunk: Buffer) => {
        const { onOutput } = options;
        if (name === 'stderr') stderr.add(chunk);
        else if (onOutput === undefined) stdout.add(chunk);
        else if (why === undefined) handle(() => onOutput(chunk));
        if (options.onLine !== undefined) lines.add(chunk);
      });
      return lines;
    });
    const onAbort = (): void => endWith(cancelled(program));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const deadline = setTimeout(() => endWith(timedOut(program, options.deadlineMs)), options.deadlineMs);
    try {
      feed(child, options.input);
      const end = await ended(child, program, options.cwd, group);
      if (group.terminating()) await group.gone();
      for (const lines of splitters) lines.end();
      if (why !== undefined) throw why;
      return {
        argv,
        code: end.code ?? undefined,
        signal: end.signal ?? undefined,
        stdout: stdout.bytes(),
        truncated: stdout.truncated(),
        stderrTail: stderr.bytes().toString('utf8'),
        durationMs: performance.now() - startedAt,
      };
    } finally {
      clearTimeout(deadline);
      group.settle();
      options.signal?.removeEventListener('abort', onAbort);
    }
  };
}

function start(program: string, args: readonly string[], options: RunOptions): ChildProcess {
  try {
    return spawn(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? baseEnvironment(),
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
      shell: false,
    });
  } catch (thrown) {
    // A NUL byte in an argument, or more arguments than the system takes.
    throw broken(program, 'the system refuses its arguments', thrown);
  }
}

function feed(child: ChildProcess, input: Uint8Array | string | undefined): void {
  if (input === undefined || child.stdin === null) return;
  // A program that ends without reading all of its input breaks the pipe; its exit status says what that means.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Resolves when the program has ended and its output was read, or is held open by what it left behind. */
function ended(
  child: ChildProcess,
  program: string,
  cwd: string | undefined,
  group: ProcessGroup,
): Promise<End> {
  return new Promise((resolve, reject) => {
    let linger: NodeJS.Timeout | undefined;
    child.once('error', (thrown: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      const missing = thrown.code === 'ENOENT' || thrown.code === 'EACCES';
      if (missing && (cwd === undefined || existsSync(cwd))) reject(programMissing(program, thrown));
      else reject(broken(program, 'the system cannot start it', thrown));
    });
    child.once('exit', () => {
      linger = setTimeout(() => {
        group.kill();
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, lingerMs);
    });
    child.once('close', (code, signal) => {
      clearTimeout(linger);
      resolve({ code, signal });
    });
  });
}

interface ProcessGroup {
  terminate(): void;
  terminating(): boolean;
  kill(): void;
  /** Resolves when nothing of the group is left; kills what outlives its leader. */
  gone(): Promise<void>;
  settle(): void;
}

function createGroup(child: ChildProcess, graceMs: number): ProcessGroup {
  let asked = false;
  let killer: NodeJS.Timeout | undefined;
  /** False when nobody is left to be told. */
  const send = (signal: NodeJS.Signals | 0): boolean => {
    if (child.pid === undefined) return false;
    try {
      process.kill(-child.pid, signal);
      return true;
    } catch {
      return false;
    }
  };
  return {
    terminate() {
      if (asked) return;
      asked = true;
      send('SIGTERM');
      killer = setTimeout(() => send('SIGKILL'), graceMs);
    },
    terminating: () => asked,
    kill: () => void send('SIGKILL'),
    async gone() {
      const patience = performance.now() + lingerMs;
      while (send(0) && performance.now() < patience) await pause(20);
      send('SIGKILL');
    },
    settle: () => clearTimeout(killer),
  };
}

/** The error of a program that is not there. */
export function programMissing(program: string, cause: unknown): FleetError {
  return new FleetError({
    code: 'PROGRAM_MISSING',
    disposition: 'stalled',
    message: `the program ${program} is not on PATH`,
    hint: howToGet(program),
    details: { program },
    cause,
  });
}

function timedOut(program: string, deadlineMs: number): FleetError {
  return new FleetError({
    code: 'TIMED_OUT',
    disposition: 'transient',
    message: `${program} did not end within ${deadlineMs / 1_000} s`,
    details: { program },
  });
}

function cancelled(program: string): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: `${program} was stopped before its end`,
    details: { program },
  });
}

function broken(program: string, what: string, cause: unknown): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `${program}: ${what}`,
    details: { program },
    cause,
  });
}
