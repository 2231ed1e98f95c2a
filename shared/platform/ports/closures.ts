import type { ClosurePath } from '../../domain/closure-diff.ts';
import type { StorePath } from '../../domain/names.ts';

/**
 * What delivered closures consist of, written down by the worker that delivered them so that two can be compared
 * later. A convenience: lost with Redis, kept for 90 days.
 */
export interface Closures {
  /** @throws FleetError STORE_UNAVAILABLE */
  put(toplevel: StorePath, paths: readonly ClosurePath[]): Promise<void>;
  /** @throws FleetError STORE_UNAVAILABLE */
  get(toplevel: StorePath): Promise<readonly ClosurePath[] | undefined>;
}
