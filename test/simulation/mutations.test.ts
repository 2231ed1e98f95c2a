import { describe, expect, test } from 'vitest';
import { simulate } from './simulate.ts';
import type { Sabotage } from './world.ts';

/** The invariants that fail within so many seeds when a rule is switched off. */
async function broken(sabotage: Sabotage, seeds: number, enough: number): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  for (let seed = 0; seed < seeds && !found.has(enough); seed += 1) {
    const { violation } = await simulate({ seed: `${seed}`, sabotage });
    if (violation !== undefined) found.add(violation.invariant);
  }
  return found;
}

describe('a rule that is switched off is noticed', () => {
  test.each<{ readonly what: string; readonly sabotage: Sabotage; readonly invariant: number }>([
    {
      what: 'a guard that takes a deployment that it knows for a new one',
      sabotage: { host: { forgetsRecords: true, ignoresLock: true, acceptsAnyToken: true } },
      invariant: 1,
    },
    {
      what: 'a guard that takes any token',
      sabotage: { host: { acceptsAnyToken: true } },
      invariant: 7,
    },
    {
      what: 'a store that does not care which life is written to',
      sabotage: { store: { ignoresTerm: true } },
      invariant: 9,
    },
    {
      what: 'a ledger whose intents are durable only after their activations began',
      sabotage: { ledger: { appendsLateMs: 5_000 } },
      invariant: 7,
    },
    {
      what: 'a ledger that two leaders can append to at once',
      sabotage: { ledger: { noCompare: true } },
      invariant: 3,
    },
  ])('$what breaks invariant $invariant', async ({ sabotage, invariant }) => {
    expect(await broken(sabotage, 400, invariant)).toContain(invariant);
  });
});
