import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../support/eventually.ts';
import { collected, expectNothingLeft, expectWhole, pushProcesses } from '../../support/host-store.ts';
import { addPaths, madeUpPath, type Closure } from '../../support/private-store.ts';
import { meanwhile, meanwhileSystem } from '../../support/push-meanwhile.ts';
import { by, createPushRig, failureOf, pushed, type PushRig } from '../../support/push-rig.ts';
import { startCollection } from '../../support/running-collection.ts';
import { file } from '../../support/store-tree.ts';

let rig: PushRig;
let system: Closure;
const large = madeUpPath('large', 'meanwhile');

beforeAll(async () => {
  rig = await createPushRig();
  system = await meanwhileSystem(rig);
  await addPaths(rig.workshop, [
    { path: large, tree: file(Buffer.alloc(12_000_000, 'large')), references: [] },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

test.each(meanwhile('every run'))('while archives are sent %s', (_, happens, nearMs) =>
  happens(rig, system, nearMs),
);

describe('a garbage collection that had read the roots before', () => {
  test('takes nothing of what was there already, and is rooted now', async () => {
    const host = await rig.host();
    const push = rig.pusher(host);
    await pushed(push, host.connection, system.root);
    await host.inside('rm', '-r', '/nix/var/nix/gcroots/varve');
    const collection = await startCollection(host);
    expect(await pushed(push, host.connection, system.root)).toMatchObject({ paths: 0 });
    await collection.goOn();
    await expectWhole(host, rig.workshop, system.root);
    expect(await collected(host)).toHaveLength(system.paths);
  });

  test('takes nothing of what was sent meanwhile', async () => {
    const host = await rig.host();
    await host.inside('nix-store', '--verify');
    const collection = await startCollection(host);
    const push = rig.pusher(host);
    await pushed(push, host.connection, system.root);
    await collection.goOn();
    await expectWhole(host, rig.workshop, system.root);
    expect(await collected(host)).toHaveLength(system.paths);
  });
});

test('a host whose key has changed is sent nothing', async () => {
  const host = await rig.host();
  const other = await rig.host();
  const line = await rig.line(host);
  const push = rig.pusher(host);
  const connection = { ...by(host, line), hostKeys: other.connection.hostKeys };
  expect(await failureOf(pushed(push, connection, system.root))).toMatchObject({
    code: 'HOST_KEY_MISMATCH',
    disposition: 'stalled',
  });
  // Not more than the two greetings, and the keys of a connection.
  expect(line.carried('to-server')).toBeLessThan(3_000);
  expect(await host.inside('ls', '/nix')).toBe('');
});

test('the shells that wait for the next push end with their connection', async () => {
  const host = await rig.host();
  const line = await rig.line(host);
  const push = rig.pusher(host);
  await pushed(push, by(host, line), large);
  await eventually(
    async () => (await pushProcesses(host)).filter((process) => process.includes('/bin/sh -c')).length >= 2,
    {
      what: 'two shells that wait',
      deadlineMs: 5_000,
    },
  );
  line.cut();
  await expectNothingLeft(host);
});
