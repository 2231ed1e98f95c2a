import type { Failure } from '../../domain/errors.ts';
import type { Fleet } from '../../domain/fleet.ts';
import type { HostName, Revision, Tree } from '../../domain/names.ts';
import type { TestingBranch } from '../../domain/testing.ts';

/** What one look at the tracked ref found. */
export type Look =
  | {
      readonly kind: 'seen';
      readonly revision: Revision;
      readonly tree: Tree;
      /** Descends from `since` (true when there is no `since`). */
      readonly descends: boolean;
      readonly author: string;
      readonly subject: string;
      /** The branches `testing/<host>`, by host; `undefined`: this look could not read them. */
      readonly testing: readonly TestingBranch[] | undefined;
      /** Hosts whose branch is there, and what it is now could not be had. */
      readonly unread?: readonly HostName[] | undefined;
    }
  /** Unreachable, refused, ref gone …: hosts keep what they have. */
  | { readonly kind: 'failing'; readonly failure: Failure };

/** What a revision says about the fleet. */
export type Manifest =
  | { readonly kind: 'fleet'; readonly fleet: Fleet }
  /** `varve.yaml` is wrong, or the tree holds what cannot be evaluated faithfully. */
  | { readonly kind: 'invalid'; readonly failure: Failure };

/** The watched repository. */
export interface Source {
  /**
   * One listing of remote heads, then a fetch of what moved: the tracked ref, testing branches. Never throws for the remote's faults. `signal` ends it
   * soon, as a failing look.
   */
  look(since: Revision | undefined, signal?: AbortSignal): Promise<Look>;
  /** Reads `varve.yaml` at a revision that was seen; the same revision always gives the same answer. */
  manifest(revision: Revision): Promise<Manifest>;
  /**
   * A Git pack with the synthetic commit of the tree and everything it reaches.
   * @throws FleetError NOT_FOUND for a tree that this source has not seen.
   */
  pack(tree: Tree): Promise<Uint8Array>;
}
