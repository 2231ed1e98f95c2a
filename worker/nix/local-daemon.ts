import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { FleetError } from '../../shared/domain/errors.ts';
import { programMissing } from '../../shared/platform/exec.ts';
import type { Nix } from './nix.ts';
import { greetDaemon, type DaemonClient } from './protocol/daemon-client.ts';
import { storeError } from './store-error.ts';

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
   * Asks one that nobody else asks at the time; it is started if there is none. A question changes nothing: it is asked
   * again where the daemon was asked before, and has failed since.
   * @throws FleetError INTERNAL, CANCELLED, TIMED_OUT, PROGRAM_MISSING; what the question throws of its own
   */
  ask<Answer>(question: (daemon: DaemonClient) => Promise<Answer>, options: AskOptions): Promise<Answer>;
  close(): Promise<void>;
}

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly client: Promise<DaemonClient>;
  readonly ended: Promise<void>;
  readonly startedAt: number;
  complaint: string;
  /** That it could not be started. */
  missing: FleetError | undefined;
  idle: NodeJS.Timeout | undefined;
}

const complaintChars = 2_000;
/** How long after its own end something that it started may keep its output open. */
const lingerMs = 1_000;

export function createLocalDaemon(deps: {
  readonly nix: Pick<Nix, 'start'>;
  /** How long one is kept that nobody asks. */
  readonly idleMs?: number;
  /** How long one is asked: Nix gives up for the life of a process on a cache that did not answer it. */
  readonly oldestMs?: number;
}): LocalDaemon {
  const { nix, idleMs = 60_000, oldestMs = 300_000 } = deps;
  const all = new Set<Running>();
  const free: Running[] = [];
  let closed = false;

  function start(): Running {
    const child = nix.start(['nix-daemon', '--stdio']);
    // Without open files to spare, a program that cannot be started has no streams either.
    const started = child.pid !== undefined;
    const running: Running = {
      child,
      client: started
        ? greetDaemon({ output: child.stdout, write: (bytes) => void child.stdin.write(bytes) })
        : new Promise((_, reject) => child.once('error', reject)),
      ended: new Promise((resolve) => {
        child.once('close', () => resolve());
        child.once('error', () => resolve());
      }),
      startedAt: performance.now(),
      complaint: '',
      missing: undefined,
      idle: undefined,
    };
    running.client.catch(() => {
      // Whoever asks first is told.
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') running.missing = programMissing('nix-daemon', error);
    });
    all.add(running);
    void running.ended.then(() => forget(running));
    if (!started) return running;
    // What it did not read is told by what it says, or by its end.
    child.stdin.on('error', () => {});
    // Output that nobody reads any more would keep it open for ever.
    child.once('exit', () => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, lingerMs).unref();
    });
    child.stderr.setEncoding('utf8').on('data', (said: string) => {
      running.complaint = `${running.complaint}${said}`.slice(-complaintChars);
    });
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
    const { pid } = running.child;
    if (pid === undefined) return;
    try {
      // With all that it started, such as the ssh to a cache.
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  }

  function giveBack(running: Running): void {
    if (!all.has(running)) return;
    if (performance.now() - running.startedAt > oldestMs) return end(running);
    running.idle = setTimeout(() => end(running), idleMs).unref();
    free.push(running);
  }

  async function askOne<Answer>(
    running: Running,
    question: (daemon: DaemonClient) => Promise<Answer>,
    { signal, deadlineMs }: AskOptions,
  ): Promise<Answer> {
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
      // Of answers that it has read.
      if (thrown instanceof FleetError) {
        giveBack(running);
        throw thrown;
      }
      // Even if it only refuses: it may say so twice, and end.
      end(running);
      await running.ended;
      throw why ?? running.missing ?? new Failed(running.complaint, thrown);
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    async ask(question, { signal, deadlineMs }) {
      const until = performance.now() + deadlineMs;
      for (;;) {
        if (closed || signal?.aborted === true) throw cancelled();
        const used = free.pop();
        const left = Math.max(1, Math.round(until - performance.now()));
        try {
          return await askOne(used ?? start(), question, { signal, deadlineMs: left });
        } catch (thrown) {
          if (!(thrown instanceof Failed)) throw thrown;
          if (used === undefined) throw failed(thrown);
        }
      }
    },
    async close() {
      closed = true;
      const ends = [...all].map(({ ended }) => ended);
      for (const running of [...all]) end(running);
      await Promise.all(ends);
    },
  };
}

/** The daemon refuses, or is of no use any more. */
class Failed extends Error {
  readonly complaint: string;

  constructor(complaint: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.complaint = complaint;
  }
}

function failed({ message, complaint, cause }: Failed): FleetError {
  const text = [message, complaint.trim()].filter((each) => each !== '').join(': ');
  return storeError('nix-daemon', text, cause);
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
