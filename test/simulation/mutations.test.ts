import { describe, expect, test } from 'vitest';
import { simulate } from './simulate.ts';
import type { Sabotage } from './world-spec.ts';

/** Whether the invariant is broken within 300 seeds when a rule is switched off. */
async function breaks(sabotage: Sabotage, invariant: number, from = 0): Promise<boolean> {
  for (let seed = from; seed < from + 300; seed += 1) {
    const { violation } = await simulate({ seed: `${seed}`, sabotage });
    if (violation?.invariant === invariant) return true;
  }
  return false;
}

describe('a rule that is switched off is noticed', () => {
  test.each<{
    readonly what: string;
    readonly sabotage: Sabotage;
    readonly invariant: number;
    /** The first seed, where it takes a story that is rare (one of 250 or so). */
    readonly from?: number;
  }>([
    {
      what: 'a guard that takes any token',
      sabotage: { host: { acceptsAnyToken: true } },
      invariant: 1,
    },
    {
      what: 'a guard that forgets what it was given, and takes any token',
      sabotage: { host: { forgetsRecords: true, acceptsAnyToken: true } },
      invariant: 1,
    },
    {
      what: 'a host that never rolls back',
      sabotage: { host: { neverRollsBack: true } },
      invariant: 6,
    },
    {
      what: 'a store that does not care which life is written to',
      sabotage: { store: { ignoresTerm: true } },
      invariant: 6,
      from: 1_600,
    },
    {
      what: 'a store in which the last writer wins',
      sabotage: { store: { ignoresVersion: true } },
      invariant: 7,
    },
    {
      what: 'a ledger whose facts are durable only some time after it said so',
      sabotage: { ledger: { appendsLateMs: 5_000 } },
      invariant: 7,
    },
  ])('$what breaks invariant $invariant', async ({ sabotage, invariant, from }) => {
    expect(await breaks(sabotage, invariant, from)).toBe(true);
  });
});
