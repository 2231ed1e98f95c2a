import { createLedgerServer } from '../simulation/models/model-ledger.ts';
import { startFreeRunning } from '../simulation/free-running.ts';
import { ledgerContract } from './ledger.contract.ts';

ledgerContract('the model', async () => {
  const world = startFreeRunning('ledger');
  const server = createLedgerServer({ ...world, appended: () => {} });
  let opened = 0;
  return {
    open: async () => server.connect(world.scheduler.spawn(`process ${(opened += 1)}`)),
    severalWriters: true,
    close: () => world.stop(),
  };
});
