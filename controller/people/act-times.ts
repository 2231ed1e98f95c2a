/** A clock that was set back by more is followed: what people say must not be dated far ahead. */
const furthestAheadMs = 1_000;

/**
 * Gives what people say a time of its own. The ledger tells acts apart by it: of two holds of one host that have the
 * same, the second would be taken for a repeat of the first, and lost.
 */
export function createActTimes(): (now: number) => number {
  let last = -Infinity;
  return (now) => (last = last - now > furthestAheadMs ? now : Math.max(now, last + 1));
}
