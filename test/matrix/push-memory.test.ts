import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

import { createRun } from '../../shared/platform/exec.ts';
import { closureOf } from '../support/closures.ts';
import { expectWhole } from '../support/host-store.ts';
import type { Closure } from '../support/private-store.ts';
import { createPushRig, ways, type PushRig } from '../support/push-rig.ts';

const hosts = 8;

let rig: PushRig;
let huge: Closure;

beforeAll(async () => {
  rig = await createPushRig();
  const origin = { seed: 'memory', round: '1' };
  huge = await closureOf(rig.workshop, { kind: 'huge', bytes: 1024 ** 3 }, origin);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

const Said = z.object({ idleMiB: z.number(), aboveMiB: z.number(), seconds: z.number() });

test.each(ways)('a gigabyte to eight hosts at once, %s, takes less than 200 MB', async (_, nearMs) => {
  const targets = await Promise.all(Array.from({ length: hosts }, () => rig.host()));
  const folder = join(rig.workshop.folder, `memory-${nearMs}`);
  await mkdir(join(folder, 'home'), { recursive: true });
  const order = {
    storeRoot: rig.workshop.storeRoot,
    nixConfig: rig.workshop.nixConfig,
    folder,
    compress: nearMs === 0,
    path: huge.root,
    hosts: targets.map(({ identityFile, connection }) => ({ identityFile, connection })),
  };
  const program = fileURLToPath(new URL('../support/push-memory-main.ts', import.meta.url));
  const result = await createRun()(
    [process.execPath, '--import', import.meta.resolve('tsx'), program, JSON.stringify(order)],
    { deadlineMs: 900_000, env: { PATH: process.env['PATH'] ?? '' } },
  );
  expect(result.code, result.stderrTail).toBe(0);
  const { aboveMiB } = Said.parse(JSON.parse(result.stdout.toString('utf8')));
  expect(aboveMiB, result.stdout.toString('utf8')).toBeLessThan(200e6 / 1024 ** 2);
  for (const host of targets) await expectWhole(host, rig.workshop, huge.root);
});
