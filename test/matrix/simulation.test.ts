import { expect, test } from 'vitest';
import { runSeeds } from '../simulation/run-seeds.ts';

test('10,000 seeds: every invariant holds whatever fails, and every fleet comes to rest when nothing fails any more', async () => {
  const { totals, broken } = await runSeeds({ first: '0', runs: 10_000, jobs: 2 });
  // `npm run simulate -- --seed S --runs 1` tells the story of each.
  expect(broken).toEqual([]);
  expect(totals.runs).toBe(10_000);
  // Else the hosts were left alone, and nothing was shown.
  expect(totals.activations).toBeGreaterThan(20_000);
});
