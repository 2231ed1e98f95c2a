import { setTimeout as pause } from 'node:timers/promises';
import { createFaults, type Faults } from './faults.ts';
import { createRedisServer, type RedisServer } from './models/redis-server.ts';
import { createRandom } from './random.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';

/** A world without faults whose time goes as ours does: for tests that know nothing of the simulation. */
export interface FreeRunning {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly redis: RedisServer;
  stop(): Promise<void>;
}

export function startFreeRunning(seed: string): FreeRunning {
  const random = createRandom(seed);
  const scheduler = createScheduler(random.fork('scheduler'));
  const faults = createFaults(random.fork('faults'), new Set());
  const redis = createRedisServer({ scheduler, faults });
  let stopping = false;

  async function run(): Promise<void> {
    const began = performance.now();
    const from = scheduler.now();
    while (!stopping) {
      const behind = performance.now() - began - (scheduler.now() - from);
      if (behind > 0) scheduler.advance(behind);
      while (!stopping && (await scheduler.act()));
      await pause(1);
    }
  }

  const running = run();
  return {
    scheduler,
    faults,
    redis,
    async stop() {
      stopping = true;
      await running;
    },
  };
}
