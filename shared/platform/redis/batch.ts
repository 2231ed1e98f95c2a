import type { ChainableCommander } from 'ioredis';
import type { RedisConnections } from './client.ts';

export interface BatchDeps<Item> {
  readonly redis: RedisConnections;
  /** How long items gather before they are sent. */
  readonly everyMs: number;
  /** How many wait at most; beyond that the oldest are dropped. */
  readonly most: number;
  /** Adds the commands for these items. `dropped`: how many were lost just before them. */
  write(items: readonly Item[], dropped: number, pipeline: ChainableCommander): void;
}

/** Writes that nobody waits for: gathered, sent in their order, dropped rather than kept without bound. */
export interface Batch<Item> {
  add(item: Item): void;
  /** Sends what waits, if Redis is there. Never throws. */
  flush(): Promise<void>;
  /** Flushes, and drops what could not be sent. */
  close(): Promise<void>;
}

const mostAtOnce = 500;

export function createBatch<Item>(deps: BatchDeps<Item>): Batch<Item> {
  const { commands } = deps.redis;
  let waiting: Item[] = [];
  let dropped = 0;
  /** Leading items that were sent without an answer, and may have arrived: they are sent once more, then dropped. */
  let unanswered = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> = Promise.resolve();
  let closed = false;

  function schedule(): void {
    if (closed || timer !== undefined || waiting.length === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      void flush();
    }, deps.everyMs);
    // What people may read later does not keep a process alive; `close` sends the rest.
    timer.unref();
  }

  /** One send at a time, so that the order stays. */
  function flush(): Promise<void> {
    sending = sending.then(send);
    return sending;
  }

  async function send(): Promise<void> {
    while (waiting.length > 0 && commands.status === 'ready') {
      const again = unanswered > 0;
      const items = waiting.splice(0, again ? unanswered : mostAtOnce);
      unanswered = 0;
      const pipeline = commands.pipeline();
      deps.write(items, dropped, pipeline);
      if (await executed(pipeline)) {
        dropped = 0;
      } else if (again) {
        dropped += items.length;
      } else {
        waiting.unshift(...items);
        unanswered = items.length;
        break;
      }
    }
    schedule();
  }

  return {
    add(item) {
      if (closed) return;
      waiting.push(item);
      // In slices: shifting one by one would be slow exactly when there is too much.
      if (waiting.length > deps.most + mostAtOnce) {
        const lost = waiting.length - deps.most;
        dropped += lost;
        unanswered = Math.max(0, unanswered - lost);
        waiting = waiting.slice(lost);
      }
      schedule();
    },
    flush,
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      await flush();
      waiting = [];
    },
  };
}

async function executed(pipeline: ChainableCommander): Promise<boolean> {
  try {
    const results = await pipeline.exec();
    return results?.every(([error]) => error === null) === true;
  } catch {
    return false;
  }
}
