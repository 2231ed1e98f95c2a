import { afterAll, beforeAll } from 'vitest';
import { createRedisStore } from '../../shared/platform/redis/store.ts';
import type { RedisConnections } from '../../shared/platform/redis/client.ts';
import { type PrivateRedis, startPrivateRedis } from '../support/redis.ts';
import { deploymentStoreContract } from './deployment-store.contract.ts';

let server: PrivateRedis;
let fleets = 0;
beforeAll(async () => {
  server = await startPrivateRedis();
});
afterAll(() => server.close());

deploymentStoreContract('Redis', async () => {
  const fleet = `fleet-${(fleets += 1)}`;
  const opened: RedisConnections[] = [];
  return {
    async open() {
      const redis = await server.connect();
      opened.push(redis);
      return createRedisStore({ redis, fleet });
    },
    down: () => server.down(),
    up: () => server.up(),
    upEmpty: () => server.upEmpty(),
    async close() {
      await Promise.all(opened.map((redis) => redis.close()));
    },
  };
});
