import { afterAll, beforeAll } from 'vitest';
import type { RedisConnections } from '../../shared/platform/redis/client.ts';
import { createRedisDeploymentLog } from '../../shared/platform/redis/deployment-log.ts';
import { createRedactor } from '../../shared/platform/redact.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { type PrivateRedis, startPrivateRedis } from '../support/redis.ts';
import { deploymentLogContract } from './deployment-log.contract.ts';

let server: PrivateRedis;
let fleets = 0;
beforeAll(async () => {
  server = await startPrivateRedis();
});
afterAll(() => server.close());

deploymentLogContract('Redis', async () => {
  const fleet = `fleet-${(fleets += 1)}`;
  const opened: RedisConnections[] = [];
  return {
    async open() {
      const redis = await server.connect();
      opened.push(redis);
      return createRedisDeploymentLog({
        redis,
        fleet,
        clock: createSystemClock(),
        redact: createRedactor(['hunter2']),
      });
    },
    down: () => server.down(),
    up: () => server.up(),
    async close() {
      await Promise.all(opened.map((redis) => redis.close()));
    },
  };
});
