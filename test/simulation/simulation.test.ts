import { expect, test } from 'vitest';
import { simulate } from './simulate.ts';
import { story } from './story.ts';

test('500 seeds: no invariant is broken whatever fails, and every fleet comes to rest when nothing fails any more', async () => {
  const broken: string[] = [];
  let activations = 0;
  for (let seed = 0; seed < 500; seed += 1) {
    const result = await simulate({ seed: `${seed}` });
    activations += result.activations;
    if (result.violation !== undefined) {
      const told = story(await simulate({ seed: `${seed}`, traced: true }), 25);
      broken.push(`seed ${seed}: ${result.violation.what}\n${told.join('\n')}`);
    }
  }
  expect(broken).toEqual([]);
  // Else the hosts were left alone, and nothing was shown.
  expect(activations).toBeGreaterThan(1_000);
});

test('the same seed tells the same story, step by step; another one tells another', async () => {
  const first = await simulate({ seed: 'twice', traced: true });
  const second = await simulate({ seed: 'twice', traced: true });
  expect(second.steps).toBe(first.steps);
  expect(second.trace).toEqual(first.trace);
  expect(second.hash).toBe(first.hash);
  expect((await simulate({ seed: 'once' })).hash).not.toBe(first.hash);
});
