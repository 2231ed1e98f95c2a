import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { expectWhole } from '../../support/host-store.ts';
import { contents, contentsOf, expectArrives } from '../../support/push-contents.ts';
import { createPushRig, pushed, type PushRig } from '../../support/push-rig.ts';

let rig: PushRig;
let closure: Awaited<ReturnType<typeof contentsOf>>;

beforeAll(async () => {
  rig = await createPushRig();
  closure = await contentsOf(rig);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

test.each(contents('every run'))('archives arrive whole: %s', (_, kind, nearMs) =>
  expectArrives(rig, closure(kind), nearMs),
);

test('a host that cannot decompress is sent archives as they are', async () => {
  const host = await rig.host();
  await host.inside('mount', '--bind', '/dev/null', '/usr/bin/zstd');
  const file = join(rig.workshop.folder, 'zeros');
  await writeFile(file, Buffer.alloc(4_000_000));
  const path = await rig.workshop.store.addFile(file, { signal: undefined });
  const line = await rig.line(host);
  const push = rig.pusher(host, { settings: { nearMs: 0 } });
  const { address, port } = line;
  await pushed(push, { ...host.connection, address, port }, path);
  expect(line.carried('to-server')).toBeGreaterThan(4_000_000);
  await expectWhole(host, rig.workshop, path);
});
