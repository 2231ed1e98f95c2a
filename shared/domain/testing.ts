import type { HostName, Revision, Tree } from './names.ts';
import type { Observation, ReleasedHost, ReleaseKey } from './observation.ts';

/** What a branch `testing/<host>` holds, as a look found it. */
export interface TestingBranch {
  readonly host: HostName;
  readonly revision: Revision;
  readonly tree: Tree;
  readonly author: string;
  readonly subject: string;
  /** Why nothing of it is run, for people; `undefined`: it is on top of the tracked ref, and can be. */
  readonly ignored: string | undefined;
}

/** A testing branch as the ledger keeps it. */
export interface TestedBranch extends Omit<TestingBranch, 'host'> {
  /** The tracked revision that it was seen with. */
  readonly onto: Revision;
  /** Of the release of its tree for this one host. */
  readonly key: ReleaseKey;
}

/** A testing branch as it is remembered of its host. */
export interface Testing extends TestedBranch {
  readonly at: number;
  /** What it evaluates to, once that is known. */
  readonly released: ReleasedHost | undefined;
}

const prefix = 'refs/heads/testing/';

/** The name of a host's testing branch, for people. */
export function testingBranchOf(host: HostName): string {
  return `testing/${host}`;
}

/** The name behind `refs/heads/testing/`, if the ref is there; whether a host has that name is another question. */
export function testedName(ref: string): string | undefined {
  return ref.startsWith(prefix) ? ref.slice(prefix.length) : undefined;
}

/** The testing branch that a host is to follow now: on top of what was observed last. Pure. */
export function activeTesting(
  remembered: { readonly testing: Testing | undefined } | undefined,
  observation: Observation,
): Testing | undefined {
  const testing = remembered?.testing;
  return testing?.ignored === undefined && testing?.onto === observation.revision ? testing : undefined;
}
