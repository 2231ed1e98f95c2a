import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { StorePath } from '../../../shared/domain/names.ts';
import type { ArchiveSource } from '../../../worker/push/archive.ts';
import type { PusherDeps } from '../../../worker/push/pusher.ts';
import { storedFrame } from '../../../worker/push/zstd-frame.ts';
import { expectNothingLeft, expectWhole, validPaths } from '../../support/host-store.ts';
import { addPaths, madeUpPath } from '../../support/private-store.ts';
import { createPushRig, failureOf, pushed, type PushRig } from '../../support/push-rig.ts';
import { file, folder } from '../../support/store-tree.ts';

let rig: PushRig;

/** The root references all; `above` references `bad`; the others reference nothing. */
const names = ['before', 'bad', 'above', 'small', 'root'] as const;
const at = Object.fromEntries(names.map((name) => [name, madeUpPath(name, 'refused')])) as Record<
  (typeof names)[number],
  StorePath
>;

beforeAll(async () => {
  rig = await createPushRig();
  // The larger ones are sent first: `before`, `bad`, `small`, then those that reference them.
  const sizes = { before: 900_000, bad: 600_000, small: 10_000 };
  await addPaths(rig.workshop, [
    ...Object.entries(sizes).map(([name, size]) => ({
      path: at[name as 'bad'],
      tree: file(Buffer.alloc(size, name)),
      references: [],
    })),
    { path: at.above, tree: folder({ link: file(at.bad) }), references: [at.bad] },
    {
      path: at.root,
      tree: folder({ links: file(names.map((name) => at[name]).join('\n')) }),
      references: [at.before, at.above, at.small],
    },
  ]);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

type Spoil = (piece: Uint8Array, index: number) => readonly Uint8Array[];

/** Sends other bytes than those of the path, as a disk that fails would. */
function spoilt(spoil: Spoil): Partial<PusherDeps> {
  const source: ArchiveSource = {
    async *read(path) {
      let index = 0;
      for await (const piece of rig.source.read(path)) {
        if (path === at.bad) yield* spoil(piece, index);
        else yield piece;
        index += 1;
      }
    },
  };
  const archives: PusherDeps['archives'] = {
    has: () => true,
    async *pieces({ path }) {
      for await (const piece of source.read(path)) yield { length: piece.length, frame: storedFrame(piece) };
    },
  };
  return { source, archives };
}

/** Says something of the path that is not so. */
function mistold(change: { readonly narHash?: string; readonly references?: readonly string[] }) {
  const store: PusherDeps['store'] = {
    async closure(paths, options) {
      const closure = await rig.workshop.store.closure(paths, options);
      return closure.map((info) => (info.path === at.bad ? { ...info, ...change } : info));
    },
  };
  return { ...spoilt((piece) => [piece]), store };
}

const garbage: Spoil = (piece) => [Buffer.alloc(piece.length, 'garbage')];
const nowhere = madeUpPath('nowhere', 'refused');

const faults: readonly (readonly [string, () => Partial<PusherDeps>, RegExp])[] = [
  ['whose hash is another', () => mistold({ narHash: '0'.repeat(64) }), /hash mismatch importing path/],
  ['that references what the host lacks', () => mistold({ references: [nowhere] }), /is not valid/],
  ['that is cut off', () => spoilt((piece, index) => (index < 1 ? [piece] : [])), /NAR|archive|end of/i],
  ['that is no archive', () => spoilt(garbage), /doesn't look like a Nix archive/],
  ['with a bit that is changed', () => spoilt(flipped), /hash mismatch importing path/],
];

function flipped(piece: Uint8Array, index: number): readonly Uint8Array[] {
  const changed = Buffer.from(piece);
  if (index === 1) changed.writeUInt8(changed.readUInt8(1_000) ^ 1, 1_000);
  return [changed];
}

const wayOf = { 'as they are': Infinity, compressed: 0 };

describe.each(Object.entries(wayOf))('of archives that are sent %s', (_, nearMs) => {
  test.each(faults)('one %s is refused, and what needs it; the others arrive', async (_fault, deps, why) => {
    const host = await rig.host();
    const push = rig.pusher(host, { settings: { nearMs }, ...deps() });
    const failure = await failureOf(pushed(push, host.connection, at.root));
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'transient' });
    expect(failure.message).toMatch(why);
    // Which of them it is about.
    expect(failure.message).toContain(at.bad);
    expect(await validPaths(host)).toEqual([at.before, at.small].toSorted());

    // Once it is right, it is sent with what needs it, and nothing else.
    const right = rig.pusher(host, { settings: { nearMs } });
    expect(await pushed(right, host.connection, at.root)).toMatchObject({ paths: 3 });
    await expectWhole(host, rig.workshop, at.root);
  });

  test('one that the daemon dies of is told in its last words, at once', async () => {
    const host = await rig.host();
    // What would be the length of a text is out of all bounds.
    const push = rig.pusher(host, { settings: { nearMs }, ...spoilt((piece) => [piece, Buffer.alloc(8)]) });
    const began = performance.now();
    const failure = await failureOf(pushed(push, host.connection, at.root));
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'transient' });
    expect(failure.message).toContain(at.bad);
    expect(performance.now() - began).toBeLessThan(5_000);

    const right = rig.pusher(host, { settings: { nearMs } });
    await pushed(right, host.connection, at.root);
    await expectWhole(host, rig.workshop, at.root);
    push.ssh.close();
    right.ssh.close();
    await expectNothingLeft(host);
  });

  test('the path that is to be rooted itself is refused, and not taken for rooted by the next push', async () => {
    const host = await rig.host();
    const push = rig.pusher(host, { settings: { nearMs }, ...spoilt(flipped) });
    await failureOf(pushed(push, host.connection, at.bad));
    expect(await validPaths(host)).toEqual([]);
    const right = rig.pusher(host, { settings: { nearMs } });
    expect(await pushed(right, host.connection, at.bad)).toMatchObject({ paths: 1 });
    await expectWhole(host, rig.workshop, at.bad);
  });
});
