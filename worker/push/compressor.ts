import { Worker } from 'node:worker_threads';

import { FleetError } from '../../shared/domain/errors.ts';
import { storedFrame } from './zstd-frame.ts';

export interface Compressor {
  /**
   * One whole zstd frame of the piece, never more than a few bytes larger than it. The piece is given away: it is empty
   * afterwards, unless it shares its memory with others.
   * @throws FleetError INTERNAL when the thread that had it has died; the next piece gets another. CANCELLED when closed
   */
  compress(piece: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  /** Those whose pieces it has, in their order, which is also that of its answers. */
  readonly waiting: Waiting[];
  idle: NodeJS.Timeout | undefined;
}

interface Waiting {
  resolve(frame: Uint8Array): void;
  reject(error: FleetError): void;
}

interface Answer {
  /** Or it is the piece, which does not get smaller. */
  readonly isFrame: boolean;
  readonly bytes: Uint8Array;
}

/** Compresses in threads of its own, started when there is something to do. */
export function createCompressor(deps: {
  /** At most so many. */
  readonly threads: number;
  /** How long a thread is kept that has nothing to do. */
  readonly idleMs?: number;
  /** What a thread runs. */
  readonly script?: URL;
}): Compressor {
  const { idleMs = 30_000, script = new URL('./compress-thread.mjs', import.meta.url) } = deps;
  const threads = new Set<Thread>();
  let closed = false;

  function start(): Thread {
    // Without the arguments of this process: a loader of sources would only slow it down.
    const worker = new Worker(script, { execArgv: [] });
    const thread: Thread = { worker, waiting: [], idle: undefined };
    threads.add(thread);
    let cause: unknown;
    worker.on('message', ({ isFrame, bytes }: Answer) => {
      thread.waiting.shift()?.resolve(isFrame ? bytes : storedFrame(bytes));
      if (thread.waiting.length === 0) rest(thread);
    });
    worker.on('error', (thrown) => {
      cause = thrown;
      forget(thread);
    });
    worker.on('exit', () => {
      forget(thread);
      for (const { reject } of thread.waiting.splice(0)) reject(closed ? cancelled() : died(cause));
    });
    return thread;
  }

  /** It is given nothing more. */
  function forget(thread: Thread): void {
    clearTimeout(thread.idle);
    threads.delete(thread);
  }

  function rest(thread: Thread): void {
    // What has nothing to do does not keep the process alive.
    thread.worker.unref();
    thread.idle = setTimeout(() => {
      forget(thread);
      void thread.worker.terminate();
    }, idleMs).unref();
  }

  function leastBusy(): Thread {
    const [first] = [...threads].toSorted((a, b) => a.waiting.length - b.waiting.length);
    if (first === undefined) return start();
    return first.waiting.length > 0 && threads.size < deps.threads ? start() : first;
  }

  return {
    compress(piece) {
      if (closed) return Promise.reject(cancelled());
      const thread = leastBusy();
      clearTimeout(thread.idle);
      thread.worker.ref();
      return new Promise((resolve, reject) => {
        thread.waiting.push({ resolve, reject });
        const whole = ownMemory(piece);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        thread.worker.postMessage(whole, [whole.buffer]);
      });
    },
    async close() {
      closed = true;
      const all = [...threads];
      await Promise.all(all.map(({ worker }) => worker.terminate()));
    },
  };
}

/** What may be moved to another thread: memory moves as a whole, with all that is in it. */
function ownMemory(piece: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = piece;
  const isAlone = buffer instanceof ArrayBuffer && buffer.byteLength === piece.byteLength;
  return isAlone ? new Uint8Array(buffer) : new Uint8Array(piece);
}

function died(cause: unknown): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: 'the thread that compresses has died',
    cause,
  });
}

function cancelled(): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: 'compressing was given up: the worker is stopping',
  });
}
