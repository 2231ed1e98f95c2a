import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { eventually } from '../../support/eventually.ts';
import { expectNothingLeft, pushProcesses } from '../../support/host-store.ts';
import { addPaths, madeUpPath, type Closure } from '../../support/private-store.ts';
import { meanwhile, meanwhileSystem } from '../../support/push-meanwhile.ts';
import { by, createPushRig, failureOf, pushed, type PushRig } from '../../support/push-rig.ts';
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
