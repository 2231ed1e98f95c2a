import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRedis, parseRedisAddress } from '../../../shared/platform/redis/client.ts';
import { talking } from '../../../shared/platform/redis/errors.ts';
import { createBullQueue } from '../../../shared/platform/redis/queue.ts';
import { createRedisStore } from '../../../shared/platform/redis/store.ts';
import { type Job, jobId } from '../../../shared/platform/ports/job-queue.ts';
import type { Logger } from '../../../shared/platform/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { type PrivateRedis, quiet, startPrivateRedis } from '../../support/redis.ts';

const unavailable = { name: 'FleetError', code: 'STORE_UNAVAILABLE', disposition: 'transient' };

describe('the connections to Redis', () => {
  let server: PrivateRedis;
  const closers: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    server = await startPrivateRedis();
    closers.push(() => server.close());
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  function connect(commandTimeoutMs: number, logger: Logger = quiet) {
    const address = parseRedisAddress(server.address);
    const redis = connectRedis({ address, logger, name: 'test', commandTimeoutMs });
    closers.push(() => redis.close());
    return redis;
  }

  test('a Redis that hangs is given up after the time for a command, and used again when it wakes up', async () => {
    const redis = connect(300);
    await redis.ready(10_000);
    const store = createRedisStore({ redis, fleet: 'fleet' });
    const queue = createBullQueue({ redis, fleet: 'fleet', logger: quiet });
    closers.push(() => queue.close(0));
    expect(await queue.pending()).toEqual(new Set());
    const pid = server.pid();
    if (pid === undefined) throw new Error('it does not run');
    process.kill(pid, 'SIGSTOP');
    try {
      const began = performance.now();
      await expect(store.term()).rejects.toMatchObject(unavailable);
      await expect(queue.pending()).rejects.toMatchObject(unavailable);
      expect(performance.now() - began).toBeLessThan(3_000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually(() => store.term().then(() => true), {
      what: 'a store that answers',
      deadlineMs: 10_000,
    });
    expect(await queue.pending()).toEqual(new Set());
  });

  test('a process that starts before its Redis finds it when it comes', async () => {
    await server.down();
    const redis = connect(1_000);
    await expect(redis.ready(100)).rejects.toMatchObject(unavailable);
    const store = createRedisStore({ redis, fleet: 'fleet' });
    const queue = createBullQueue({ redis, fleet: 'fleet', logger: quiet });
    closers.push(() => queue.close(0));
    await expect(store.term()).rejects.toMatchObject(unavailable);
    await expect(queue.pending()).rejects.toMatchObject(unavailable);
    await server.up();
    await redis.ready(10_000);
    expect(await store.term()).toBeUndefined();
    expect(await queue.pending()).toEqual(new Set());
  });

  test('a loss is told once and its end once, however long it lasts', async () => {
    const said: string[] = [];
    const logger: Logger = {
      ...quiet,
      warn: (_fields, message) => said.push(`warn ${message}`),
      info: (_fields, message) => said.push(`info ${message}`),
      child: () => logger,
    };
    const redis = connect(1_000, logger);
    await redis.ready(10_000);
    let attempts = 0;
    redis.commands.on('reconnecting', () => {
      attempts += 1;
    });
    await server.down();
    await eventually(() => attempts > 3, { what: 'several attempts', deadlineMs: 10_000 });
    await server.up();
    await redis.ready(10_000);
    // One for the commands and one for the subscriptions.
    expect(said.filter((line) => line === 'warn connection to redis lost')).toHaveLength(2);
    expect(said.filter((line) => line === 'info connection to redis is back')).toHaveLength(2);
  });

  test('a refusal of Redis itself is STORE_UNAVAILABLE with its words as the cause', async () => {
    const redis = connect(1_000);
    await redis.ready(10_000);
    await redis.commands.config('SET', 'maxmemory', '1');
    await expect(talking(() => redis.commands.set('k', 'v'))).rejects.toMatchObject({
      ...unavailable,
      cause: expect.objectContaining({ message: expect.stringContaining('OOM') }),
    });
    const store = createRedisStore({ redis, fleet: 'fleet' });
    await expect(store.begin({ epoch: 1, incarnation: 'a' })).rejects.toMatchObject(unavailable);
  });

  test('a Redis that is emptied while it runs lives no life, and its consumers go on', async () => {
    const redis = connect(1_000);
    await redis.ready(10_000);
    const store = createRedisStore({ redis, fleet: 'fleet' });
    const queue = createBullQueue({ redis, fleet: 'fleet', logger: quiet });
    closers.push(() => queue.close(0));
    const given: string[] = [];
    await queue.consume('evaluate', 1, async (job) => {
      given.push(jobId(job));
    });
    await store.begin({ epoch: 1, incarnation: 'a' });
    await redis.commands.flushall();
    expect(await store.term()).toBeUndefined();
    const job: Job = { step: 'evaluate', key: 'k', epoch: 1, n: 1 };
    await queue.enqueue(job);
    await eventually(() => given.includes(jobId(job)), { what: 'the job', deadlineMs: 10_000 });
  });

  test('fleets that share a Redis do not see each other', async () => {
    const redis = connect(1_000);
    await redis.ready(10_000);
    const here = createRedisStore({ redis, fleet: 'here' });
    await here.begin({ epoch: 1, incarnation: 'a' });
    expect(await createRedisStore({ redis, fleet: 'there' }).term()).toBeUndefined();
    const queues = ['here', 'there'].map((fleet) => createBullQueue({ redis, fleet, logger: quiet }));
    for (const queue of queues) closers.push(() => queue.close(0));
    await queues[0]?.enqueue({ step: 'evaluate', key: 'k', epoch: 1, n: 1 });
    expect((await queues[1]?.pending())?.size).toBe(0);
    const keys = await redis.commands.keys('*');
    expect(
      keys.filter((key) => !key.startsWith('{varve:here}:') && !key.startsWith('{varve:there}:')),
    ).toEqual([]);
  });

  test('a closed set of connections keeps no process alive', async () => {
    const redis = connect(1_000);
    await redis.ready(10_000);
    const patient = redis.patient();
    await eventually(() => patient.status === 'ready', { what: 'a patient connection', deadlineMs: 10_000 });
    await redis.close();
    expect([redis.commands.status, patient.status]).toEqual(['end', 'end']);
  });
});
