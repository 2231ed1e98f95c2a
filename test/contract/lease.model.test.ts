import { createLeaseServer } from '../simulation/models/model-lease.ts';
import { startFreeRunning } from '../simulation/free-running.ts';
import { leaseContract } from './lease.contract.ts';

leaseContract('the model', async () => {
  const world = startFreeRunning('lease');
  const server = createLeaseServer(world);
  let opened = 0;
  return {
    open: async () => server.connect(world.scheduler.spawn(`process ${(opened += 1)}`)),
    async pass(ms) {
      world.scheduler.advance(ms);
    },
    down: async () => world.redis.down(),
    async upEmpty() {
      world.redis.lose();
      world.redis.up();
    },
    close: () => world.stop(),
  };
});
