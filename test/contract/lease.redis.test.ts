import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import type { RedisConnections } from '../../shared/platform/redis/client.ts';
import { createRedisLease } from '../../shared/platform/redis/lease.ts';
import { type PrivateRedis, startPrivateRedis } from '../support/redis.ts';
import { leaseContract } from './lease.contract.ts';

let server: PrivateRedis;
let fleets = 0;
beforeAll(async () => {
  server = await startPrivateRedis();
});
afterAll(() => server.close());

leaseContract('Redis', async () => {
  const fleet = `fleet-${(fleets += 1)}`;
  const opened: RedisConnections[] = [];
  return {
    async open() {
      const redis = await server.connect();
      opened.push(redis);
      return createRedisLease({ redis, fleet });
    },
    // Redis counts the time here, so it must really pass.
    pass: (ms) => pause(ms),
    down: () => server.down(),
    upEmpty: () => server.upEmpty(),
    async close() {
      await Promise.all(opened.map((redis) => redis.close()));
    },
  };
});
