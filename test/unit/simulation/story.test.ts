import { expect, test } from 'vitest';
import type { FaultKind } from '../../simulation/faults.ts';
import { simulate } from '../../simulation/simulate.ts';
import { shrink } from '../../simulation/story.ts';

/** A guard that takes any token is noticed only where something else goes wrong. */
const sabotage = { host: { acceptsAnyToken: true } };

async function aBrokenStory() {
  for (let seed = 100; seed < 400; seed += 1) {
    const spec = { seed: `${seed}`, hosts: 1, sabotage };
    const { violation, kinds } = await simulate(spec);
    if (violation?.invariant === 1 && kinds.size > 12) return { spec, violation, kinds };
  }
  throw new Error('none of these seeds breaks it');
}

test('a story that fails is told with the faults alone that it needs, and fails in the same way', async () => {
  const { spec, violation, kinds } = await aBrokenStory();
  // One that is left out already stays out.
  const without = new Set<FaultKind>(['crash-worker']);
  const { smallest, needed } = await shrink({ ...spec, without }, violation);
  expect(smallest.violation?.invariant).toBe(violation.invariant);
  expect(smallest.trace).not.toEqual([]);
  expect(needed.length).toBeGreaterThan(0);
  expect(needed.length).toBeLessThan(kinds.size);
  expect(needed).not.toContain('crash-worker');
  expect([...kinds]).toEqual(expect.arrayContaining([...needed]));

  const left = new Set<FaultKind>(needed);
  const others = new Set([...kinds].filter((kind) => !left.has(kind)));
  const again = await simulate({ ...spec, without: others });
  expect(again.violation?.invariant).toBe(violation.invariant);
  expect([...again.kinds].toSorted()).toEqual([...needed].toSorted());
});
