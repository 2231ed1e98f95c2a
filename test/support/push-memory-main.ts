import { join } from 'node:path';

import { z } from 'zod';

import { parseDeploymentId, parseHostName, parseStorePath } from '../../shared/domain/names.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createLocalDaemon } from '../../worker/nix/local-daemon.ts';
import { archiveOf } from '../../worker/nix/nar.ts';
import { createNix } from '../../worker/nix/nix.ts';
import { createNixStore } from '../../worker/nix/store.ts';
import { createArchives } from '../../worker/push/archives.ts';
import { createCompressor } from '../../worker/push/compressor.ts';
import { createPusher } from '../../worker/push/pusher.ts';
import { createSsh } from '../../worker/ssh/ssh.ts';
import { recordingContext } from './nix-workshop.ts';

// A worker that does nothing but push, so that the memory of its process is what pushes take:
// node --import tsx test/support/push-memory-main.ts ORDER. Prints a line of JSON with its peak above what it had before
// anything was pushed.

const Order = z.object({
  storeRoot: z.string(),
  folder: z.string(),
  nixConfig: z.record(z.string(), z.string()),
  compress: z.boolean(),
  path: z.string(),
  hosts: z.array(
    z.object({
      identityFile: z.string(),
      connection: z.object({
        address: z.string(),
        port: z.number(),
        user: z.string(),
        hostKeys: z.array(z.string()),
      }),
    }),
  ),
});

const MiB = 1024 * 1024;

async function main(): Promise<void> {
  const order = Order.parse(JSON.parse(process.argv[2] ?? ''));
  const nix = createNix({
    run: createRun(),
    settings: { config: order.nixConfig, home: join(order.folder, 'home'), environment: {} },
  });
  const daemon = createLocalDaemon({ nix });
  const store = createNixStore({ nix, daemon });
  const source = { read: (path: string) => archiveOf(`${order.storeRoot}${path}`) };
  const compressor = createCompressor({ threads: 4 });
  const archives = await createArchives({
    source,
    compressor,
    folder: join(order.folder, 'archives'),
    maxBytes: 8e9,
  });
  const workers = order.hosts.map(({ identityFile, connection }) => {
    const ssh = createSsh({ keyFiles: [identityFile] });
    const settings = { nearMs: order.compress ? 0 : Infinity };
    const { push } = createPusher({ ssh, store, source, archives, sign: () => [], settings });
    return { ssh, push, connection };
  });
  const pushAll = (path: string, deployment: string): Promise<unknown> =>
    Promise.all(
      workers.map(({ push, connection }) =>
        push(
          {
            host: parseHostName('web1'),
            deployment: parseDeploymentId(deployment),
            connection,
            paths: new Map([['toplevel', parseStorePath(path)]]),
            deadlineMs: 900_000,
          },
          recordingContext(),
        ),
      ),
    );

  const idle = process.memoryUsage().rss;
  const began = performance.now();
  await pushAll(order.path, 'd000001');
  const peak = process.resourceUsage().maxRSS * 1024;
  const said = {
    idleMiB: Math.round(idle / MiB),
    aboveMiB: Math.round((peak - idle) / MiB),
    seconds: Math.round((performance.now() - began) / 1_000),
  };
  process.stdout.write(`${JSON.stringify(said)}\n`);
  for (const { ssh } of workers) ssh.close();
  await archives.close();
  await compressor.close();
  await daemon.close();
}

await main();
