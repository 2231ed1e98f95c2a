import { jobId } from '../../shared/platform/ports/job-queue.ts';
import { createQueueServer } from '../simulation/models/model-queue.ts';
import { startFreeRunning } from '../simulation/free-running.ts';
import { jobQueueContract } from './job-queue.contract.ts';

jobQueueContract('the model', async () => {
  const world = startFreeRunning('queue');
  const { scheduler, redis } = world;
  const server = createQueueServer({ ...world, stalledMs: 200 });
  let opened = 0;
  return {
    open: async () => server.connect(scheduler.spawn(`process ${(opened += 1)}`)),
    async doomed(step) {
      const process = scheduler.spawn('doomed');
      const took: string[] = [];
      let letGo = (): void => {};
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      await server.connect(process).consume(step, 1, async (job) => {
        took.push(jobId(job));
        await gate;
      });
      return {
        took: () => took,
        kill: async () => scheduler.kill(process),
        pause: async () => scheduler.pause(process, 3_600_000),
        async resume() {
          letGo();
          scheduler.wake(process);
        },
      };
    },
    patienceMs: 5_000,
    down: async () => redis.down(),
    up: async () => redis.up(),
    async upEmpty() {
      redis.lose();
      redis.up();
    },
    close: () => world.stop(),
  };
});
