import type { Fact } from '../../domain/facts.ts';

export type Appended =
  /** Durable (and pushed, where a ledger remote is configured). `head` is the new commit. */
  | { readonly kind: 'appended'; readonly head: string }
  /** Every fact was there already. */
  | { readonly kind: 'nothing-new'; readonly head: string }
  /** Someone else appended first (another controller): stop leading, load again. Nothing was written. */
  | { readonly kind: 'conflict' };

/**
 * The append-only history. `append` is a compare-and-set on the head that was loaded: with a remote, its
 * fast-forward push decides.
 */
export interface Ledger {
  /** Fetches (where there is a remote) and reads the whole history, oldest first. @throws FleetError LEDGER_BROKEN */
  load(): Promise<readonly Fact[]>;
  /** Appends in one commit. Facts that are there already (`factKey`) are left out. */
  append(facts: readonly Fact[]): Promise<Appended>;
}
