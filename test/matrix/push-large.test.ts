import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { closureOf, type ClosureKind } from '../support/closures.ts';
import { expectWhole } from '../support/host-store.ts';
import type { Closure } from '../support/private-store.ts';
import { createPushRig, pushed, ways, type PushRig } from '../support/push-rig.ts';

let rig: PushRig;
const closures = new Map<ClosureKind, Closure>();

const kinds: readonly ClosureKind[] = [
  { kind: 'system', paths: 1_004, bytes: 20_000_000 },
  { kind: 'tiny', paths: 5_000 },
  { kind: 'huge', bytes: 1024 ** 3 },
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
  test.each(kinds)('arrive whole: $kind', async (kind) => {
    const closure = closures.get(kind);
    if (closure === undefined) throw new Error('it was not made');
    const { root, paths, bytes } = closure;
    const host = await rig.host();
    const push = rig.pusher(host, { settings: { nearMs } });
    expect(await pushed(push, host.connection, root, { deadlineMs: 300_000 })).toMatchObject({
      paths,
      bytes,
    });
    await expectWhole(host, rig.workshop, root);
  });
});
