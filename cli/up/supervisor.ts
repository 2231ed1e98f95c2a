import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { FleetError } from '../../shared/domain/errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { withParentDeath } from './parent-death.ts';

export interface SupervisorDeps {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Every line of its output. */
  readonly onLine: (line: string) => void;
  /** It ended unasked, and is started again after `againInMs`. */
  readonly onDeath: (death: { readonly how: string; readonly againInMs: number }) => void;
  /** The first pause before a restart; it doubles with each, up to a minute. */
  readonly backOffMs?: number;
}

/** A program that is kept alive until it is told to stop. */
export interface Supervised {
  readonly name: string;
  pid(): number | undefined;
  /** Rejects when it cannot go on: a wrong configuration does not get better by another start. */
  readonly failed: Promise<never>;
  /** Asks it to end, and kills it after the deadline. Resolves when it has ended. */
  stop(deadlineMs: number): Promise<void>;
}

/** EX_CONFIG: how the programs end when their configuration is wrong. */
export const wrongConfiguration = 78;

/** A run this long was a good one: the back-off begins anew. */
const goodRunMs = 60_000;
const longestPauseMs = 60_000;

/** Starts a program in a process group of its own, and starts it again with back-off whenever it dies. */
export function supervise(deps: SupervisorDeps): Supervised {
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  let fail: (reason: FleetError) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  // It is for whoever waits for it; nobody has to.
  failed.catch(() => {});
  const ended = keepAlive();

  async function keepAlive(): Promise<void> {
    let backOffMs = deps.backOffMs ?? 500;
    while (!stopping.signal.aborted) {
      const started = performance.now();
      const end = await runOnce();
      if (stopping.signal.aborted) return;
      if (end.code === wrongConfiguration || end.code === exitCodes.prerequisite) {
        fail(
          new FleetError({
            code: end.code === wrongConfiguration ? 'CONFIG_INVALID' : 'PROGRAM_MISSING',
            disposition: 'stalled',
            message: `the ${deps.name} cannot be started:\n${end.tail.join('\n')}`,
          }),
        );
        return;
      }
      if (performance.now() - started >= goodRunMs) backOffMs = deps.backOffMs ?? 500;
      deps.onDeath({ how: end.how, againInMs: backOffMs });
      await pause(backOffMs, undefined, { signal: stopping.signal }).catch(() => {});
      backOffMs = Math.min(backOffMs * 2, longestPauseMs);
    }
  }

  /** One life of the program. */
  function runOnce(): Promise<{ how: string; code: number | undefined; tail: readonly string[] }> {
    const [program, ...args] = withParentDeath(deps.argv);
    const tail: string[] = [];
    return new Promise((resolve) => {
      const running = spawn(program, args, {
        env: { ...deps.env },
        stdio: ['ignore', 'pipe', 'pipe'],
        // Ctrl-C reaches only us: they are ended in order, each with time to finish what it does.
        detached: true,
      });
      child = running;
      for (const stream of [running.stdout, running.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          tail.push(line.slice(0, 2_000));
          if (tail.length > 10) tail.shift();
          deps.onLine(line);
        });
      }
      running.on('error', (error) => resolve({ how: error.message, code: undefined, tail }));
      running.on('close', (code, signal) => {
        if (child === running) child = undefined;
        resolve({
          how: signal === null ? `exit code ${code}` : `signal ${signal}`,
          code: code ?? undefined,
          tail,
        });
      });
    });
  }

  return {
    name: deps.name,
    pid: () => child?.pid,
    failed,
    async stop(deadlineMs) {
      stopping.abort();
      signalGroup(child, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), deadlineMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

function signalGroup(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return;
  try {
    // The program itself is asked: it ends what it started. Killing takes its whole group.
    process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown;
  }
}
