import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import type { Step } from '../../shared/platform/ports/job-queue.ts';
import type { RedisConnections } from '../../shared/platform/redis/client.ts';
import { createBullQueue } from '../../shared/platform/redis/queue.ts';
import { eventually } from '../support/eventually.ts';
import { type PrivateRedis, quiet, startPrivateRedis } from '../support/redis.ts';
import { jobQueueContract } from './job-queue.contract.ts';
import type { DoomedConsumer } from './job-queue-rig.ts';

const lockMs = 1_000;
const stalledEveryMs = 400;
const program = fileURLToPath(new URL('doomed-consumer.ts', import.meta.url));

let server: PrivateRedis;
let fleets = 0;
beforeAll(async () => {
  server = await startPrivateRedis();
});
afterAll(() => server.close());

async function startDoomed(
  fleet: string,
  step: Step,
  killers: (() => Promise<void>)[],
): Promise<DoomedConsumer> {
  const args = [server.address, fleet, step, String(lockMs), String(stalledEveryMs)];
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  killers.push(kill);
  await eventually(() => lines.includes('ready'), {
    what: 'a doomed worker that is ready',
    deadlineMs: 20_000,
  });
  return {
    took: () => lines.filter((line) => line !== 'ready'),
    kill,
    async pause() {
      child.kill('SIGSTOP');
    },
    async resume() {
      child.stdin.write('go\n');
      child.kill('SIGCONT');
    },
  };
}

jobQueueContract('BullMQ', async () => {
  const fleet = `fleet-${(fleets += 1)}`;
  const opened: RedisConnections[] = [];
  const killers: (() => Promise<void>)[] = [];
  return {
    async open() {
      const redis = await server.connect();
      opened.push(redis);
      return createBullQueue({ redis, fleet, logger: quiet, lockMs, stalledEveryMs });
    },
    doomed: (step) => startDoomed(fleet, step, killers),
    patienceMs: lockMs + 2 * stalledEveryMs + 8_000,
    down: () => server.down(),
    up: () => server.up(),
    upEmpty: () => server.upEmpty(),
    async close() {
      await Promise.all(killers.map((kill) => kill()));
      await Promise.all(opened.map((redis) => redis.close()));
    },
  };
});
