import type { Failure } from './errors.ts';
import { hostAtItsOwnName, type Fleet, type HostSpec } from './fleet.ts';
import type { HostName } from './names.ts';
import type { Observation, Release } from './observation.ts';
import type { Member } from './policy.ts';

/** What an observation wants, with all that is needed to go there. */
export interface Ready {
  readonly kind: 'ready';
  readonly observation: Observation;
  readonly fleet: Fleet;
  readonly release: Release;
}

interface NotReady {
  /** The last observation before it that could be followed, as far as that can be read. */
  readonly lastGood?: Ready | undefined;
}

/** What the newest verified observation wants. */
export type Desired =
  /** Nothing was observed yet, or what was observed is not readable at present. */
  | (NotReady & { readonly kind: 'unknown'; readonly reason: string })
  /** It cannot be followed: hosts keep what they have. */
  | (NotReady & {
      readonly kind: 'blocked';
      readonly observation: Observation;
      readonly failure: Failure;
      /** As far as the revision can be read. */
      readonly fleet: Fleet | undefined;
    })
  | (NotReady & {
      readonly kind: 'evaluating';
      readonly observation: Observation;
      readonly fleet: Fleet;
      /** The last attempt failed for a passing reason; the next one comes at `until`. */
      readonly setback: EvaluationSetback | undefined;
    })
  | Ready;

export interface EvaluationSetback {
  readonly failure: Failure;
  readonly until: number;
}

const known = new WeakMap<Desired, ReadonlyMap<HostName, HostSpec>>();

/**
 * The hosts of a revision, by name. Without a listing they are known only once the release is. Made once for each
 * value: it is asked for host by host.
 */
export function hostsOf(desired: Desired): ReadonlyMap<HostName, HostSpec> {
  const before = known.get(desired);
  if (before !== undefined) return before;
  const hosts = listHosts(desired);
  known.set(desired, hosts);
  return hosts;
}

/**
 * By what a host goes back to what it ran, which does not wait for Git: the newest observation, or the last good one
 * as long as the newest does not say which hosts there are.
 */
export function returningBy(desired: Desired): Desired {
  if (desired.kind === 'ready' || hostsOf(desired).size > 0) return desired;
  return desired.lastGood ?? desired;
}

/** A host with its groups; one that is not wanted is in none. */
export function memberOf(host: HostName, desired: Desired): Member {
  return hostsOf(returningBy(desired)).get(host) ?? { name: host, groups: [] };
}

const listings = new WeakMap<readonly HostSpec[], ReadonlyMap<HostName, HostSpec>>();

/** The same from pass to pass, as long as nothing is pushed. */
function byName(list: readonly HostSpec[]): ReadonlyMap<HostName, HostSpec> {
  const before = listings.get(list);
  if (before !== undefined) return before;
  const hosts = new Map(list.map((host) => [host.name, host]));
  listings.set(list, hosts);
  return hosts;
}

function listHosts(desired: Desired): ReadonlyMap<HostName, HostSpec> {
  if (desired.kind === 'unknown' || desired.fleet === undefined) return new Map();
  const { hosts } = desired.fleet;
  if (hosts.kind === 'listed') return byName(hosts.list);
  if (desired.kind !== 'ready') return new Map();
  return new Map(
    [...desired.release.hosts.keys()].map((name) => [name, hostAtItsOwnName(name, hosts.defaults)]),
  );
}
