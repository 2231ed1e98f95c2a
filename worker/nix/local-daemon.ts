import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { FleetError } from '../../shared/domain/errors.ts';
import { programMissing } from '../../shared/platform/exec.ts';
import type { Nix } from './nix.ts';
import { DaemonError, greetDaemon, type DaemonClient } from './protocol/daemon-client.ts';

export interface AskOptions {
  readonly signal: AbortSignal | undefined;
  readonly deadlineMs: number;
}

/**
 * Nix daemons of this worker's own, each at the other end of a pipe: a question costs a millisecond where a program costs
 * thirty. None remembers what it was asked, so what others build or delete meanwhile is seen.
 */
export interface LocalDaemon {
  /**
   * Asks one that nobody else asks at the time; it is started if there is none.
   * @throws FleetError INTERNAL, CANCELLED, TIMED_OUT, PROGRAM_MISSING
   */
  ask<Answer>(question: (daemon: DaemonClient) => Promise<Answer>, options: AskOptions): Promise<Answer>;
  close(): Promise<void>;
}

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly client: Promise<DaemonClient>;
  readonly ended: Promise<void>;
  complaint: string;
  /** That it could not be started. */
  missing: FleetError | undefined;
  idle: NodeJS.Timeout | undefined;
}

const complaintChars = 2_000;

export function createLocalDaemon(deps: {
  readonly nix: Pick<Nix, 'start'>;
  /** How long one is kept that nobody asks. */
  readonly idleMs?: number;
}): LocalDaemon {
  const { nix, idleMs = 60_000 } = deps;
  const all = new Set<Running>();
  const free: Running[] = [];

  function start(): Running {
    const child = nix.start(['nix-daemon', '--stdio']);
    // What it did not read is told by what it says, or by its end.
    child.stdin.on('error', () => {});
    const running: Running = {
      child,
      client: greetDaemon({ output: child.stdout, write: (bytes) => void child.stdin.write(bytes) }),
      ended: new Promise((resolve) => {
        child.once('close', () => resolve());
        child.once('error', () => resolve());
      }),
      complaint: '',
      missing: undefined,
      idle: undefined,
    };
    running.client.catch(() => {
      // Whoever asks first is told.
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') running.missing = programMissing('nix-daemon', error);
      running.complaint += error.message;
    });
    child.stderr.setEncoding('utf8').on('data', (said: string) => {
      running.complaint = `${running.complaint}${said}`.slice(-complaintChars);
    });
    all.add(running);
    void running.ended.then(() => forget(running));
    return running;
  }

  function forget(running: Running): void {
    clearTimeout(running.idle);
    all.delete(running);
    const at = free.indexOf(running);
    if (at >= 0) free.splice(at, 1);
  }

  function end(running: Running): void {
    forget(running);
    running.child.kill('SIGKILL');
  }

  function giveBack(running: Running): void {
    if (!all.has(running)) return;
    running.idle = setTimeout(() => end(running), idleMs).unref();
    free.push(running);
  }

  return {
    async ask(question, { signal, deadlineMs }) {
      if (signal?.aborted === true) throw cancelled();
      const running = free.pop() ?? start();
      clearTimeout(running.idle);
      // An answer that nobody waits for would be taken for the next one: that daemon is not asked again.
      let why: FleetError | undefined;
      const endWith = (reason: FleetError): void => {
        why ??= reason;
        end(running);
      };
      const onAbort = (): void => endWith(cancelled());
      const deadline = setTimeout(() => endWith(timedOut(deadlineMs)), deadlineMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const answer = await question(await running.client);
        giveBack(running);
        return answer;
      } catch (thrown) {
        if (thrown instanceof DaemonError) giveBack(running);
        else {
          end(running);
          await running.ended;
        }
        throw why ?? running.missing ?? failed(thrown, running.complaint);
      } finally {
        clearTimeout(deadline);
        signal?.removeEventListener('abort', onAbort);
      }
    },
    async close() {
      const ends = [...all].map(({ ended }) => ended);
      for (const running of [...all]) end(running);
      await Promise.all(ends);
    },
  };
}

function failed(thrown: unknown, complaint: string): FleetError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `nix-daemon: ${[reason, complaint.trim()].filter((each) => each !== '').join(': ')}`,
    cause: thrown,
  });
}

function cancelled(): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: 'a question to the Nix store was given up before its answer',
  });
}

function timedOut(deadlineMs: number): FleetError {
  return new FleetError({
    code: 'TIMED_OUT',
    disposition: 'transient',
    message: `nix-daemon did not answer within ${deadlineMs / 1_000} s`,
  });
}
