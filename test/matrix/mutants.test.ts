import { expect, test } from 'vitest';
import { mutants } from '../simulation/mutants.ts';
import { runMutants } from '../simulation/run-mutants.ts';

test('each rule that is broken on purpose is noticed by an invariant', async () => {
  const fates = await runMutants(mutants, 2);
  const survivors = fates.filter(({ caught }) => caught === undefined);
  expect(survivors.map(({ mutant }) => mutant.name)).toEqual([]);
  expect(fates.length).toBeGreaterThanOrEqual(18);
});
