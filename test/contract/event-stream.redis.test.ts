import { afterAll, beforeAll } from 'vitest';
import type { RedisConnections } from '../../shared/platform/redis/client.ts';
import { createRedisEventStream } from '../../shared/platform/redis/events.ts';
import { createRedactor } from '../../shared/platform/redact.ts';
import { type PrivateRedis, startPrivateRedis } from '../support/redis.ts';
import { eventStreamContract } from './event-stream.contract.ts';

let server: PrivateRedis;
let fleets = 0;
beforeAll(async () => {
  server = await startPrivateRedis();
});
afterAll(() => server.close());

eventStreamContract('Redis', async () => {
  const fleet = `fleet-${(fleets += 1)}`;
  const opened: RedisConnections[] = [];
  return {
    async open() {
      const redis = await server.connect();
      opened.push(redis);
      return createRedisEventStream({ redis, fleet, redact: createRedactor(['hunter2']), most: 100 });
    },
    down: () => server.down(),
    upEmpty: () => server.upEmpty(),
    async close() {
      await Promise.all(opened.map((redis) => redis.close()));
    },
  };
});
