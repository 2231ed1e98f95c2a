import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { PusherDeps } from '../../../worker/push/pusher.ts';
import { storedFrame } from '../../../worker/push/zstd-frame.ts';
import { expectWhole } from '../../support/host-store.ts';
import type { LoopbackHost } from '../../support/loopback-host.ts';
import { addPaths, madeUpPath } from '../../support/private-store.ts';
import { by, createPushRig, failureOf, pushed, ways, type PushRig } from '../../support/push-rig.ts';
import { replaceProgram } from '../../support/replaced-program.ts';
import { file } from '../../support/store-tree.ts';

const MiB = 1024 * 1024;

let rig: PushRig;
const large = madeUpPath('large', 'disk-full');
const root = madeUpPath('root', 'disk-full');
const small = madeUpPath('small', 'disk-full');
const parts = ['part-1', 'part-2', 'part-3'].map((name) => madeUpPath(name, 'disk-full'));
const top = madeUpPath('top', 'disk-full');

beforeAll(async () => {
  rig = await createPushRig();
  await addPaths(rig.workshop, [
    { path: large, tree: file(Buffer.alloc(24 * MiB, 'large')), references: [] },
    { path: root, tree: file(large), references: [large] },
    { path: small, tree: file('small'), references: [] },
    ...parts.map((path) => ({ path, tree: file(Buffer.alloc(10 * MiB, path)), references: [] })),
    { path: top, tree: file(parts.join()), references: parts },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

/** Does something when the larger path is half sent. */
function interrupted(act: () => Promise<void>): Partial<PusherDeps> {
  async function* read(path: string): AsyncGenerator<Uint8Array> {
    let given = 0;
    for await (const piece of rig.source.read(path)) {
      if (path === large && given === 48) await act();
      given += 1;
      yield piece;
    }
  }
  return {
    source: { read },
    archives: {
      has: () => true,
      async *pieces({ path }) {
        for await (const piece of read(path)) yield { length: piece.length, frame: storedFrame(piece) };
      },
    },
  };
}

async function fill(host: LoopbackHost): Promise<void> {
  await host.inside('sh', '-c', 'cat /dev/zero > /nix/filler || true');
}

test('a disk that may compress what it holds is tried, and says so where it was too small all the same', async () => {
  const host = await rig.host({ diskMiB: 20 });
  await host.inside('nix-store', '--verify');
  await replaceProgram(host, 'stat', '/usr/bin/stat "$@" | sed s/tmpfs/btrfs/');
  const line = await rig.line(host);
  const push = rig.pusher(host, { settings: { nearMs: Infinity } });
  const failure = await failureOf(pushed(push, by(host, line), root));
  expect(failure).toMatchObject({ code: 'DISK_FULL', disposition: 'transient' });
  expect(Number(failure.details?.['freeBytes'])).toBeLessThan(20 * MiB);
  expect(Number(failure.details?.['neededBytes'])).toBeGreaterThan(24 * MiB);
  expect(line.carried('to-server')).toBeGreaterThan(10 * MiB);

  await host.inside('nix-store', '--gc');
  await pushed(push, by(host, line), small);
  await expectWhole(host, rig.workshop, small);
});

test('a disk on which Nix collects garbage by itself takes what it has no room for yet', async () => {
  const [refuses, collects] = await Promise.all([
    rig.host({ diskMiB: 48 }),
    rig.host({ diskMiB: 48, nixConfig: { 'min-free': `${1024 * MiB}` } }),
  ]);
  for (const host of [refuses, collects]) {
    await pushed(rig.pusher(host), host.connection, root);
    await host.inside('rm', '-r', '/nix/var/nix/gcroots/varve');
  }
  // What comes first fits beside the garbage, and what comes then does not.
  expect(await failureOf(pushed(rig.pusher(refuses), refuses.connection, top))).toMatchObject({
    code: 'DISK_FULL',
  });
  await pushed(rig.pusher(collects), collects.connection, top);
  await expectWhole(collects, rig.workshop, top);
});

describe.each(ways)('of archives that are sent %s', (_, nearMs) => {
  test('what fills up the disk on its way says so, and goes through once there is room', async () => {
    const host = await rig.host({ diskMiB: 48 });
    // The store is made by the first command, and is not what takes the room.
    await host.inside('nix-store', '--verify');
    const push = rig.pusher(host, { settings: { nearMs }, ...interrupted(() => fill(host)) });
    const failure = await failureOf(pushed(push, host.connection, root));
    expect(failure).toMatchObject({ code: 'DISK_FULL', disposition: 'transient' });
    expect(Number(failure.details?.['freeBytes'])).toBeGreaterThan(24 * MiB);
    expect(Number(failure.details?.['neededBytes'])).toBeGreaterThan(24 * MiB);

    // Nothing is broken: what had come of it is garbage, and Nix runs.
    await host.inside('rm', '/nix/filler');
    await host.inside('nix-store', '--gc');
    await pushed(rig.pusher(host, { settings: { nearMs } }), host.connection, root);
    await expectWhole(host, rig.workshop, root);
  });
});
