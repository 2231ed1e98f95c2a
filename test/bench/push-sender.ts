import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { parseDeploymentId, parseHostName, parseStorePath } from '../../shared/domain/names.ts';
import { createRun } from '../../shared/platform/exec.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import type { Push } from '../../worker/push/push.ts';
import { createLocalDaemon } from '../../worker/nix/local-daemon.ts';
import { createNix } from '../../worker/nix/nix.ts';
import { createNixStore } from '../../worker/nix/store.ts';
import { createSsh } from '../../worker/ssh/ssh.ts';
import { nixSettings } from '../hosts/fleet-files.ts';
import { type Answer, Order, SenderPlace } from './push-orders.ts';
import { ourPush } from './push-side.ts';

// Our side of the bench, in a process of its own: node --import tsx test/bench/push-sender.ts PLACE. It is what a worker is
// during pushes, a process that has run for a while, and nothing but what a push costs is in its processor time.

const deadlineMs = 600_000;

interface Side {
  readonly push: Push;
  close(): Promise<void>;
}

async function beginSide({ storeRoot, folder, keyFile }: SenderPlace): Promise<Side> {
  const cache = join(folder, 'cache');
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const run = createRun();
  const nix = createNix({
    run,
    settings: {
      config: { ...nixSettings, store: `local?root=${storeRoot}` },
      home: join(folder, 'home'),
      environment: {},
    },
  });
  const daemon = createLocalDaemon({ nix });
  const ssh = createSsh({ keyFiles: [keyFile] });
  const pusher = await ourPush({ store: createNixStore({ nix, daemon }), ssh, storeRoot, cache });
  return {
    push: pusher.push,
    async close() {
      ssh.close();
      await pusher.close();
      await daemon.close();
    },
  };
}

const context: StepContext = {
  signal: new AbortController().signal,
  log: () => {},
  progress: () => {},
};

async function main(): Promise<void> {
  const place = SenderPlace.parse(JSON.parse(process.argv[2] ?? ''));
  let side = beginSide(place);
  const say = (answer: Answer): void => void process.send?.(answer);

  const act = async (order: Order): Promise<number> => {
    switch (order.kind) {
      case 'begin-anew':
        await (await side).close();
        side = beginSide(place);
        await side;
        return 0;
      case 'push': {
        const { push } = await side;
        const pushed = await push.push(
          {
            host: parseHostName('host'),
            deployment: parseDeploymentId(`d${String(order.id).padStart(6, '0')}`),
            connection: order.connection,
            paths: new Map([['toplevel', parseStorePath(order.path)]]),
            deadlineMs,
          },
          context,
        );
        return pushed.paths;
      }
    }
  };

  process.on('message', (message) => {
    const order = Order.parse(message);
    const began = performance.now();
    act(order).then(
      (sent) => say({ kind: 'done', id: order.id, ms: performance.now() - began, sent }),
      (thrown: unknown) => say({ kind: 'failed', id: order.id, why: String(thrown) }),
    );
  });
  process.once('disconnect', () => {
    side
      .then((it) => it.close())
      .finally(() => process.exit())
      .catch(() => {});
  });
  await side;
}

await main();
