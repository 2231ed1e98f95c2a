import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { PathInfo } from '../../../../worker/nix/store.ts';
import { orderForSending } from '../../../../worker/push/plan.ts';
import { infoOf, pathOf } from './path-infos.ts';

/** Each references some of those before it, and some reference themselves; given in any order. */
const closures: fc.Arbitrary<readonly PathInfo[]> = fc
  .array(
    fc.record({
      size: fc.integer({ min: 0, max: 5 }),
      references: fc.array(fc.nat(1_000), { maxLength: 4 }),
      itself: fc.boolean(),
      place: fc.nat(),
    }),
    { maxLength: 40 },
  )
  .map((paths) =>
    paths
      .map(({ size, references, itself, place }, n) => {
        const before = n === 0 ? [] : references.map((other) => other % n);
        return { place, info: infoOf(n, [...new Set([...before, ...(itself ? [n] : [])])], size) };
      })
      .toSorted((a, b) => a.place - b.place)
      .map(({ info }) => info),
  );

const subsets = fc.tuple(closures, fc.infiniteStream(fc.boolean())).map(([closure, choices]) => {
  const valid = new Set<string>();
  for (const info of closure) if (choices.next().value === true) valid.add(info.path);
  return { closure, valid };
});

test('all that is missing is sent once, and nothing else', () => {
  fc.assert(
    fc.property(subsets, ({ closure, valid }) => {
      const order = orderForSending(closure, valid).map(({ path }) => path);
      const missing = closure.map(({ path }) => path).filter((path) => !valid.has(path));
      expect(order.toSorted()).toEqual(missing.toSorted());
    }),
  );
});

test('each path comes after all that it references and that is missing too', () => {
  fc.assert(
    fc.property(subsets, ({ closure, valid }) => {
      const order = orderForSending(closure, valid);
      const place = new Map<string, number>(order.map(({ path }, index) => [path, index]));
      for (const [index, { path, references }] of order.entries()) {
        for (const reference of references) {
          if (reference !== path) expect(place.get(reference) ?? -1).toBeLessThan(index);
        }
      }
    }),
  );
});

test('the order does not depend on that of the closure', () => {
  fc.assert(
    fc.property(subsets, ({ closure, valid }) => {
      expect(orderForSending(closure.toReversed(), valid)).toEqual(orderForSending(closure, valid));
    }),
  );
});

test('of what may come at any time the largest comes first', () => {
  const closure = [infoOf(1, [], 10), infoOf(2, [], 30), infoOf(3, [], 20), infoOf(4, [1, 2, 3], 99)];
  const order = orderForSending(closure, new Set());
  expect(order.map(({ path }) => path)).toEqual([2, 3, 1, 4].map(pathOf));
});
