import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { closureOf, type ClosureKind } from '../../support/closures.ts';
import { expectWhole } from '../../support/host-store.ts';
import { createPushRig, pushed, ways, type PushRig } from '../../support/push-rig.ts';
import type { Closure } from '../../support/private-store.ts';

let rig: PushRig;
const closures = new Map<ClosureKind, Closure>();

/** All that a path may be, one path, and as many as a small system has; larger ones are in test/matrix. */
const kinds: readonly ClosureKind[] = [
  { kind: 'odd' },
  { kind: 'tiny', paths: 1 },
  { kind: 'system', paths: 204, bytes: 30_000_000 },
];

beforeAll(async () => {
  rig = await createPushRig();
  for (const kind of kinds) {
    closures.set(kind, await closureOf(rig.workshop, kind, { seed: JSON.stringify(kind), round: '1' }));
  }
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

describe.each(ways)('archives that are sent %s', (_, nearMs) => {
  test.each(kinds)('arrive whole: $kind $paths', async (kind) => {
    const closure = closures.get(kind);
    if (closure === undefined) throw new Error('it was not made');
    const host = await rig.host();
    const push = rig.pusher(host, { settings: { nearMs } });
    const { root, paths, bytes } = closure;
    expect(await pushed(push, host.connection, root)).toMatchObject({ paths, bytes });
    await expectWhole(host, rig.workshop, root);

    // With another deployment, as it is not yet rooted for that.
    expect(await pushed(push, host.connection, root, { deployment: 'd000002' })).toMatchObject({
      paths: 0,
      bytes: 0,
    });
    expect(await host.inside('readlink', '/nix/var/nix/gcroots/varve/d000002/toplevel')).toBe(root);
    await expectWhole(host, rig.workshop, root);
  });
});

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
