import type { Clock } from '../../shared/platform/ports/clock.ts';

/**
 * The time of one leadership's passes. A clock may be set back while it leads: what a pass asks or writes down would then
 * seem to be older than what earlier passes did, and a probe of before an activation newer than its outcome. So the
 * time stands almost still until the clock has caught up, and each pass is later than the one before.
 *
 * @param since when the leadership began
 */
export function steadyTime(clock: Clock, since: number): () => number {
  let latest = since;
  return () => (latest = Math.max(clock.now(), latest + 1));
}
