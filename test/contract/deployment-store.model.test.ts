import { createStoreServer } from '../simulation/models/model-store.ts';
import { startFreeRunning } from '../simulation/free-running.ts';
import { deploymentStoreContract } from './deployment-store.contract.ts';

deploymentStoreContract('the model', async () => {
  const world = startFreeRunning('store');
  const watch = { begun: () => {}, written: () => {}, contacted: () => {} };
  const server = createStoreServer({ ...world, watch });
  let opened = 0;
  return {
    open: async () => server.connect(world.scheduler.spawn(`process ${(opened += 1)}`)),
    async down() {
      server.rewind(0);
      world.redis.down();
    },
    up: async () => world.redis.up(),
    async upEmpty() {
      world.redis.lose();
      world.redis.up();
    },
    close: () => world.stop(),
  };
});
