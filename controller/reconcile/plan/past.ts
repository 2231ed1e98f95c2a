import type { Fact } from '../../../shared/domain/facts.ts';

/**
 * A fact of the ledger as a leadership takes it that begins now: whatever the clock said of those who wrote it, it has
 * happened before. Were it left in the future, no probe could be newer than it, and its host would wait for that time.
 */
export function inThePast(fact: Fact, now: number): Fact {
  // Nothing waits for these, and by their own clock the hold before was over when they came, or was not.
  if (fact.kind === 'hold') return fact;
  if (fact.kind === 'observation' && fact.observation.at > now) {
    return { ...fact, at: Math.min(fact.at, now), observation: { ...fact.observation, at: now } };
  }
  return fact.at > now ? { ...fact, at: now } : fact;
}
