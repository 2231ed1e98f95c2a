import type { Redis } from 'ioredis';
import { talking } from './errors.ts';

/** "Something happened there": channels carry no data, whoever is told reads the state again. */
export interface Subscriptions {
  /**
   * Calls back at most once per `everyMs`, soon after each message; also after a connection was lost and is back,
   * since messages may have been missed. Returns the closer. @throws FleetError STORE_UNAVAILABLE
   */
  listen(channel: string, everyMs: number, callback: () => void): Promise<() => Promise<void>>;
}

interface Listener {
  told(): void;
  stop(): void;
}

export function createSubscriptions(deps: { readonly redis: Redis }): Subscriptions {
  const { redis } = deps;
  const channels = new Map<string, Set<Listener>>();
  let lost = false;

  redis.on('message', (channel: string) => {
    for (const listener of channels.get(channel) ?? []) listener.told();
  });
  redis.on('close', () => {
    lost = true;
  });
  redis.on('ready', () => {
    if (lost) void resubscribe();
    lost = false;
  });

  /** Subscribed first and told afterwards, so that nothing falls between. */
  async function resubscribe(): Promise<void> {
    if (channels.size === 0) return;
    try {
      await redis.subscribe(...channels.keys());
    } catch {
      // Lost again (the next `ready` comes here), or Redis hangs: then a new connection is the way back.
      redis.disconnect(true);
      return;
    }
    for (const listeners of channels.values()) for (const listener of listeners) listener.told();
  }

  return {
    async listen(channel, everyMs, callback) {
      const listener = coalesced(everyMs, callback);
      const listeners = channels.get(channel) ?? new Set<Listener>();
      channels.set(channel, listeners);
      listeners.add(listener);
      const close = async () => {
        listener.stop();
        listeners.delete(listener);
        if (listeners.size > 0 || channels.get(channel) !== listeners) return;
        channels.delete(channel);
        // Without a connection there is nothing to take back.
        if (redis.status === 'ready') await redis.unsubscribe(channel).catch(() => {});
      };
      try {
        await talking(() => redis.subscribe(channel));
      } catch (thrown) {
        await close();
        throw thrown;
      }
      return close;
    },
  };
}

function coalesced(everyMs: number, callback: () => void): Listener {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  return {
    told() {
      if (stopped) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        callback();
      }, everyMs);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
