import type { Socket } from 'node:net';

/**
 * How much may be on the way: more than a fast program sends in the time that a long line takes, so that only a reader
 * who is slower holds the writer back.
 */
const windowBytes = 16 * 1024 * 1024;

/** One direction of one connection. */
export interface DelayLine {
  freeze(): void;
  thaw(): void;
  /** Forgets what is on its way. */
  drop(): void;
}

interface Moving {
  /** `undefined`: the end of what is sent; `broken`: the connection was torn down. */
  readonly what: Buffer | 'end' | 'broken';
  readonly dueAt: number;
}

/**
 * Brings what one socket receives to another, each byte so many milliseconds later and in order, and its end too.
 * `take` says how many of so many bytes may come out now, `taken` is told once the
 * system has them.
 */
export function delayLine(options: {
  readonly from: Socket;
  readonly to: Socket;
  readonly delayMs: number;
  readonly take: (bytes: number) => number;
  readonly taken: () => void;
}): DelayLine {
  const { from, to, delayMs, take, taken } = options;
  let queue: Moving[] = [];
  let onTheWay = 0;
  let timer: NodeJS.Timeout | undefined;
  let full = false;
  let frozen = false;

  const deliver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    let done = 0;
    while (!full && !frozen && done < queue.length) {
      const next = queue[done];
      if (next === undefined) break;
      const early = next.dueAt - performance.now();
      if (early > 0) {
        timer = setTimeout(deliver, early);
        break;
      }
      done += 1;
      comeOut(next.what);
    }
    queue.splice(0, done);
    if (onTheWay < windowBytes && !frozen) from.resume();
  };

  const comeOut = (what: Moving['what']): void => {
    if (what === 'broken') to.destroy();
    else if (what === 'end') to.end();
    else {
      onTheWay -= what.length;
      const allowed = take(what.length);
      if (allowed > 0 && !to.destroyed) full = !to.write(what.subarray(0, allowed), taken);
    }
  };

  const enter = (what: Moving['what']): void => {
    queue.push({ what, dueAt: performance.now() + delayMs });
    if (what instanceof Buffer) {
      onTheWay += what.length;
      if (onTheWay >= windowBytes) from.pause();
    }
    if (timer === undefined) deliver();
  };

  from.on('data', enter);
  from.once('end', () => enter('end'));
  from.on('error', () => enter('broken'));
  from.once('close', (broken) => {
    if (!broken && !from.readableEnded) enter('broken');
  });
  to.on('drain', () => {
    full = false;
    deliver();
  });
  // What nobody takes any more need not be sent.
  to.once('close', () => {
    full = false;
    deliver();
  });

  return {
    freeze() {
      frozen = true;
      from.pause();
    },
    thaw() {
      frozen = false;
      deliver();
    },
    drop() {
      clearTimeout(timer);
      queue = [];
      onTheWay = 0;
    },
  };
}
