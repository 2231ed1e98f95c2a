import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { StorePath } from '../../../shared/domain/names.ts';
import { closureOf } from '../../support/closures.ts';
import { eventually } from '../../support/eventually.ts';
import {
  collected,
  expectNothingLeft,
  expectWhole,
  pushProcesses,
  validPaths,
} from '../../support/host-store.ts';
import type { LoopbackHost } from '../../support/loopback-host.ts';
import { addPaths, madeUpPath, type Closure } from '../../support/private-store.ts';
import { by, createPushRig, failureOf, pushed, ways, type PushRig } from '../../support/push-rig.ts';
import { startCollection } from '../../support/running-collection.ts';
import { file } from '../../support/store-tree.ts';

let rig: PushRig;
let system: Closure;
/** Two that have most of it in common. */
let others: readonly StorePath[];
const large = madeUpPath('large', 'meanwhile');

beforeAll(async () => {
  rig = await createPushRig();
  system = await closureOf(
    rig.workshop,
    { kind: 'system', paths: 120, bytes: 40_000_000 },
    { seed: 'meanwhile', round: '1' },
  );
  others = ['one', 'other'].map((name) => madeUpPath(name, 'meanwhile'));
  await addPaths(rig.workshop, [
    ...others.map((path) => ({ path, tree: file(`${path} ${system.root}`), references: [system.root] })),
    { path: large, tree: file(Buffer.alloc(12_000_000, 'large')), references: [] },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

/** Collects garbage on the host again and again, until it is ended. Gives how often. */
function collecting(host: LoopbackHost): () => Promise<number> {
  let isOver = false;
  let times = 0;
  const running = (async () => {
    while (!isOver) {
      await host.inside('nix-store', '--gc');
      times += 1;
    }
  })();
  return async () => {
    isOver = true;
    await running;
    return times;
  };
}

describe.each(ways)('while archives are sent %s', (_, nearMs) => {
  test('a garbage collection on the host takes nothing, neither during the push nor after it', async () => {
    const host = await rig.host();
    const end = collecting(host);
    const push = rig.pusher(host, { settings: { nearMs } });
    await pushed(push, host.connection, system.root);
    expect(await end()).toBeGreaterThan(2);
    expect(await collected(host)).toHaveLength(system.paths);
    await expectWhole(host, rig.workshop, system.root);
  });

  test('two workers push the same to one host', async () => {
    const host = await rig.host();
    // Two daemons that make a store at the same time are in the way of each other.
    await host.inside('nix-store', '--verify');
    const pushes = [1, 2].map(async (n) => {
      const push = rig.pusher(host, { settings: { nearMs } });
      return pushed(push, host.connection, system.root, { deployment: `d00000${n}` });
    });
    await Promise.all(pushes);
    expect(await collected(host)).toHaveLength(system.paths);
    await expectWhole(host, rig.workshop, system.root);
  });

  test('a line that breaks again and again is got over, and nothing that has arrived is sent again', async () => {
    const host = await rig.host();
    const line = await rig.line(host);
    const push = rig.pusher(host, { settings: { nearMs } });
    const breaks = (async () => {
      for (let n = 0; n < 3; n += 1) await line.cutAfter(nearMs === 0 ? 4_000_000 : 9_000_000, 'to-server');
    })();
    const { paths } = await pushed(push, by(host, line), system.root);
    await breaks;
    expect(line.connections()).toBe(4);
    expect(paths).toBe(system.paths);
    // Of each line that broke: what the host's SSH server and a decompressor hold, and the path that was on its way.
    expect(line.carried('to-server')).toBeLessThan(system.bytes + 3 * 6_000_000);
    await expectWhole(host, rig.workshop, system.root);
  });

  test('a host that hangs is given up, and gets the rest once it runs again', async () => {
    const host = await rig.host();
    const line = await rig.line(host);
    const push = rig.pusher(host, { settings: { nearMs, stallMs: 1_500 } });
    const failed = failureOf(pushed(push, by(host, line), system.root));
    await eventually(() => line.carried('to-server') > 3_000_000, { what: 'some of it', deadlineMs: 20_000 });
    line.freeze();
    const began = performance.now();
    expect(await failed).toMatchObject({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
    expect(performance.now() - began).toBeLessThan(4_000);
    line.thaw();
    const before = (await validPaths(host)).length;
    const next = rig.pusher(host, { settings: { nearMs } });
    const { paths } = await pushed(next, by(host, line), system.root);
    expect(paths).toBeLessThanOrEqual(system.paths - before);
    await expectWhole(host, rig.workshop, system.root);
  });
});

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
