import type { Check } from './check.ts';
import type { HostName } from './names.ts';
import { plainRollout } from './policy.ts';
import type { Freeze, Group, RebootPolicy, Retention, RolloutPolicy, Window } from './policy.ts';

/** How a worker reaches a host. Belongs to a generation: a commit may change any part of it. */
export interface Connection {
  /** Name or IP address, without user and port. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Accepted host keys, `type base64` as in known_hosts; empty: the service's known_hosts decides. */
  readonly hostKeys: readonly string[];
}

export type Mode = 'switch' | 'boot' | 'test' | 'dry-activate';

/** How long things may take, in milliseconds. */
export interface Timeouts {
  /** Making the toplevel valid on a worker. */
  readonly buildMs: number;
  /** Pushing the closure. */
  readonly pushMs: number;
  /** From the start of the switch to its end; then the host rolls back by itself. */
  readonly activationMs: number;
  /** From the end of the switch to the acknowledgement; then the host rolls back by itself. */
  readonly confirmMs: number;
  /** How long units are watched after the switch before they count as healthy. */
  readonly settleMs: number;
}

export interface HostSpec {
  readonly name: HostName;
  /** The attribute under the fleet's flake attribute; the host's name unless said otherwise. */
  readonly attribute: string;
  readonly connection: Connection;
  readonly labels: Readonly<Record<string, string>>;
  readonly mode: Mode;
  readonly checks: readonly Check[];
  readonly timeouts: Timeouts;
  readonly unitFailures: UnitFailures;
  readonly transport: Transport;
  /** The name of its wave. */
  readonly wave: string;
  /** The groups that it is in. */
  readonly groups: readonly string[];
  /** Hosts that must be done with a release before it begins here. */
  readonly after: readonly HostName[];
  readonly windows: readonly Window[];
  readonly reboot: RebootPolicy;
  /** What happens to a system that is not the confirmed one any more, although nobody wanted that. */
  readonly drift: 'report' | 'heal';
  readonly retention: Retention;
  /** Varve's own controller, worker or Redis runs there: it goes last, and alone. */
  readonly runsVarve: boolean;
}

/** Which failed units make a switch a failure: those that had not failed before, any, or none. */
export type UnitFailures = 'new' | 'any' | 'ignore';

/** How a closure gets to a host. Whatever it does not get in these ways is pushed to it by a worker. */
export interface Transport {
  /** `cache`: workers publish the closure to the cache that the service configuration names, before the host is asked. */
  readonly by: 'push' | 'cache';
  /** The host first fetches what its own substituters have, a cache that was published to among them. */
  readonly substitute: boolean;
}

/** What a host has that no `varve.yaml` says anything of. */
export const plainHost = {
  labels: {},
  mode: 'switch',
  checks: [],
  unitFailures: 'new',
  transport: { by: 'push', substitute: false },
  wave: 'all',
  groups: [],
  after: [],
  windows: [],
  reboot: { when: 'never', deadlineMs: 600_000, drain: undefined, undrain: undefined },
  drift: 'report',
  retention: { keep: 10, collectGarbage: false },
  runsVarve: false,
} satisfies Partial<HostSpec>;

/** Where a revision keeps its configurations. */
export interface FlakeSpec {
  /** Folder of flake.nix inside the repository; `.` is its top. */
  readonly folder: string;
  /** Usually `nixosConfigurations`. */
  readonly attribute: string;
}

/** What happens to a host that has no owner yet. */
export type AdoptPolicy = 'manual' | 'auto';

/** The hosts and the policy that a revision describes. */
export interface Fleet {
  readonly flake: FlakeSpec;
  readonly adopt: AdoptPolicy;
  readonly rollout: RolloutPolicy;
  readonly groups: readonly Group[];
  readonly freezes: readonly Freeze[];
  /**
   * `listed`: `varve.yaml` names the hosts. `discovered`: there is none, so every configuration of the release is
   * a host at its own name, made with `hostAtItsOwnName`.
   */
  readonly hosts:
    | { readonly kind: 'listed'; readonly list: readonly HostSpec[] }
    | { readonly kind: 'discovered'; readonly defaults: Omit<HostSpec, 'name' | 'attribute' | 'connection'> };
}

/** The rollout of a fleet that says nothing of it. */
export const plainFleet = {
  rollout: plainRollout,
  groups: [],
  freezes: [],
} satisfies Partial<Fleet>;

/** The host that a configuration stands for where no `varve.yaml` says more. */
export function hostAtItsOwnName(
  name: HostName,
  defaults: Omit<HostSpec, 'name' | 'attribute' | 'connection'>,
): HostSpec {
  return {
    ...defaults,
    name,
    attribute: name,
    connection: { address: name, port: 22, user: 'root', hostKeys: [] },
  };
}

export function sameConnection(a: Connection, b: Connection): boolean {
  return (
    a.address === b.address &&
    a.port === b.port &&
    a.user === b.user &&
    a.hostKeys.length === b.hostKeys.length &&
    a.hostKeys.every((key, i) => key === b.hostKeys[i])
  );
}

/** A record, so that none can be forgotten. */
const everyTimeout = {
  buildMs: true,
  pushMs: true,
  activationMs: true,
  confirmMs: true,
  settleMs: true,
} satisfies Record<keyof Timeouts, true>;
const timeoutNames = Object.keys(everyTimeout) as (keyof Timeouts)[];

/** Field by field: it is asked of every host with something under way, in every pass. */
export function sameTimeouts(a: Timeouts, b: Timeouts): boolean {
  return timeoutNames.every((name) => a[name] === b[name]);
}
