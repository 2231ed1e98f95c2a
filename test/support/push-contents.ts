import { expect } from 'vitest';

import { closureOf, type ClosureKind } from './closures.ts';
import { expectWhole } from './host-store.ts';
import type { Closure } from './private-store.ts';
import { pushed, ways, type PushRig } from './push-rig.ts';

/** All that a path may be, one path, and as many as a small system has; larger ones are in test/matrix. */
const kinds: readonly { readonly kind: ClosureKind; readonly everyRun: (typeof ways)[number][0] }[] = [
  { kind: { kind: 'odd' }, everyRun: 'compressed' },
  { kind: { kind: 'tiny', paths: 1 }, everyRun: 'as they are' },
  { kind: { kind: 'system', paths: 204, bytes: 30_000_000 }, everyRun: 'compressed' },
];

/** What a push brings, and how: each kind in one way in every run, and in the other in the matrix. */
export function contents(when: 'every run' | 'matrix') {
  return kinds.flatMap(({ kind, everyRun }) =>
    ways
      .filter(([way]) => (way === everyRun) === (when === 'every run'))
      .map(([way, nearMs]) => [`${kind.kind}, sent ${way}`, kind, nearMs] as const),
  );
}

/** Makes them all. */
export async function contentsOf(rig: PushRig): Promise<(kind: ClosureKind) => Closure> {
  const closures = new Map<ClosureKind, Closure>();
  for (const { kind } of kinds) {
    closures.set(kind, await closureOf(rig.workshop, kind, { seed: JSON.stringify(kind), round: '1' }));
  }
  return (kind) => {
    const closure = closures.get(kind);
    if (closure === undefined) throw new Error('it was not made');
    return closure;
  };
}

/** Pushes it to a new host, and once more for another deployment. */
export async function expectArrives(rig: PushRig, closure: Closure, nearMs: number): Promise<void> {
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
}
