import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { expectWhole } from '../../support/host-store.ts';
import { contents, contentsOf, expectArrives } from '../../support/push-contents.ts';
import { by, createPushRig, pushed, type PushRig } from '../../support/push-rig.ts';

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

test('a near host is sent what is compressed already', async () => {
  const host = await rig.host();
  const file = join(rig.workshop.folder, 'ones');
  await writeFile(file, Buffer.alloc(4_000_000, 1));
  const path = await rig.workshop.store.addFile(file, { signal: undefined });
  const carried = async (nearMs: number): Promise<number> => {
    const line = await rig.line(host);
    await pushed(rig.pusher(host, { settings: { nearMs } }), by(host, line), path);
    await expectWhole(host, rig.workshop, path);
    await host.inside('sh', '-c', 'rm -r /nix/var/nix/gcroots/varve && nix-store --delete "$0"', path);
    return line.carried('to-server');
  };
  expect(await carried(0)).toBeLessThan(1_000_000);
  expect(await carried(10_000)).toBeLessThan(1_000_000);
});
