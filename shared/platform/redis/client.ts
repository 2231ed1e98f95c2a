import { Redis } from 'ioredis';
import { FleetError } from '../../domain/errors.ts';
import type { Logger } from '../logger.ts';
import { storeUnavailable } from './errors.ts';
import { type Subscriptions, createSubscriptions } from './subscriptions.ts';

export type RedisAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string };

/**
 * `redis://…`, `rediss://…`, `unix:/path` or an absolute path of a socket.
 *
 * @throws FleetError CONFIG_INVALID
 */
export function parseRedisAddress(text: string): RedisAddress {
  const path = /^(?:unix:(?:\/\/)?)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'socket', path };
  if (/^rediss?:\/\/./.test(text) && URL.canParse(text)) return { kind: 'url', url: text };
  throw new FleetError({
    code: 'CONFIG_INVALID',
    disposition: 'stalled',
    // The text may hold a password: it is not repeated.
    message: 'the address of Redis is neither a URL nor a socket',
    hint: 'use redis://host:port/db, rediss://… or unix:/path/of/the.sock',
  });
}

/** One process's connections to Redis. */
export interface RedisConnections {
  /** Fails at once while Redis is down, and after a few seconds when it hangs: nothing waits for ever. */
  readonly commands: Redis;
  readonly subscriptions: Subscriptions;
  /** One more connection that waits for Redis as long as it takes: what queue workers block on. */
  patient(): Redis;
  /** Waits until commands are accepted. @throws FleetError STORE_UNAVAILABLE after `deadlineMs` */
  ready(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface RedisConnectionsDeps {
  readonly address: RedisAddress;
  readonly logger: Logger;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  /** After this long an unanswered command counts as failed. */
  readonly commandTimeoutMs?: number;
}

/** How a connection bears the loss of Redis. */
interface Behaviour {
  readonly enableOfflineQueue?: boolean;
  readonly maxRetriesPerRequest: number | null;
  readonly autoResendUnfulfilledCommands?: boolean;
  readonly autoResubscribe?: boolean;
  readonly commandTimeout?: number;
}

/** Connects in the background, and again whenever the connection is lost. */
export function connectRedis(deps: RedisConnectionsDeps): RedisConnections {
  const opened: Redis[] = [];

  function open(role: string, options: Behaviour): Redis {
    const all = {
      ...options,
      connectionName: `${deps.name}-${role}`,
      connectTimeout: 5_000,
      keepAlive: 10_000,
      retryStrategy: (times: number) => Math.min(times * 50, 1_000),
    };
    const redis =
      deps.address.kind === 'socket'
        ? new Redis({ ...all, path: deps.address.path })
        : new Redis(deps.address.url, all);
    reportLoss(redis, deps.logger.child({ redis: role }));
    opened.push(redis);
    return redis;
  }

  const impatient: Behaviour = {
    enableOfflineQueue: false,
    // Not even once: with more, what was unanswered when the connection broke would hang until its time is over.
    maxRetriesPerRequest: 0,
    // A command that was under way when the connection broke is not sent twice: its caller must know.
    autoResendUnfulfilledCommands: false,
    commandTimeout: deps.commandTimeoutMs ?? 5_000,
  };
  const commands = open('commands', impatient);
  const subscriber = open('subscriber', { ...impatient, autoResubscribe: false });

  return {
    commands,
    subscriptions: createSubscriptions({ redis: subscriber }),
    patient: () => open('worker', { maxRetriesPerRequest: null }),
    ready: (deadlineMs) => readyWithin([commands, subscriber], deadlineMs),
    close: async () => {
      for (const redis of opened) redis.disconnect();
      await Promise.all(opened.map(ended));
    },
  };
}

/** One line when a connection is lost and one when it is back, however many attempts lie between. */
function reportLoss(redis: Redis, logger: Logger): void {
  let last: Error | undefined;
  let lost = false;
  redis.on('error', (error: Error) => {
    last = error;
  });
  redis.on('close', () => {
    if (lost || redis.status === 'end') return;
    lost = true;
    logger.warn({ err: last }, 'connection to redis lost');
  });
  redis.on('ready', () => {
    if (lost) logger.info({}, 'connection to redis is back');
    lost = false;
    last = undefined;
  });
}

async function readyWithin(connections: readonly Redis[], deadlineMs: number): Promise<void> {
  const signal = AbortSignal.timeout(deadlineMs);
  for (const redis of connections) {
    if (redis.status === 'ready') continue;
    await new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      signal.addEventListener('abort', () => reject(storeUnavailable(signal.reason)), { once: true });
    });
  }
}

function ended(redis: Redis): Promise<void> {
  if (redis.status === 'end') return Promise.resolve();
  return new Promise((resolve) => {
    redis.once('end', () => resolve());
    // A socket that never says that it has closed must not hold up the end of the process.
    setTimeout(resolve, 1_000).unref();
  });
}
