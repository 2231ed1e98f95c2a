import type { HostName } from './names.ts';

/** What a person's word, a freeze or a budget is about. */
export type Scope =
  | { readonly kind: 'host'; readonly host: HostName }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'fleet' };

/** A host with the groups that it is in, which is what a scope is held against. */
export interface Member {
  readonly name: HostName;
  readonly groups: readonly string[];
}

export function isIn(scope: Scope, { name, groups }: Member): boolean {
  switch (scope.kind) {
    case 'host':
      return scope.host === name;
    case 'group':
      return groups.includes(scope.group);
    case 'fleet':
      return true;
  }
}

/** As people write it: `web1`, `group routers`, `the fleet`. */
export function scopeText(scope: Scope): string {
  switch (scope.kind) {
    case 'host':
      return scope.host;
    case 'group':
      return `group ${scope.group}`;
    case 'fleet':
      return 'the fleet';
  }
}

/** The whole fleet, as commands take it. No host and no group is meant by it. */
export const fleetWord = 'fleet';

/** The one word that commands take for it: `web1`, `routers`, `fleet`. */
export function scopeWord(scope: Scope): string {
  switch (scope.kind) {
    case 'host':
      return scope.host;
    case 'group':
      return scope.group;
    case 'fleet':
      return fleetWord;
  }
}

/** A number of hosts, or a share of those that are meant. */
export interface Amount {
  readonly unit: 'hosts' | 'percent';
  readonly value: number;
}

/** How many hosts an amount is of `total`: a share is rounded down, and never to none of some. */
export function hostsIn({ unit, value }: Amount, total: number): number {
  return unit === 'hosts' ? value : Math.max(1, Math.floor((total * value) / 100));
}

/** Hosts that are let through together. */
export interface Wave {
  readonly name: string;
  /** Of the hosts of this wave; `undefined`: only the other budgets count. */
  readonly maxUnavailable: Amount | undefined;
  /** How long the wave must stay healthy on the release before the next one begins. */
  readonly soakMs: number;
  /** A person must approve the release for this wave. */
  readonly approval: boolean;
}

/** What happens when as many hosts of a wave failed as the threshold says. */
export type OnFailure = 'halt' | 'rollback-wave' | 'rollback-all' | 'continue';

export interface RolloutPolicy {
  /** In order; every host is in exactly one. */
  readonly waves: readonly Wave[];
  /** Of the whole fleet. */
  readonly maxUnavailable: Amount | undefined;
  readonly onFailure: OnFailure;
  /** So many failed hosts of a wave are a failed wave. */
  readonly failureThreshold: Amount;
  /** At most so many hosts reboot at once. */
  readonly rebootsAtOnce: number;
}

/** Hosts with something in common, by labels or by name. A host may be in several. */
export interface Group {
  readonly name: string;
  readonly maxUnavailable: Amount | undefined;
  /** A person must approve a release before it is activated on a host of the group. */
  readonly approval: boolean;
}

/** When activations may, or may not, start. */
export interface Window {
  readonly kind: 'allow' | 'deny';
  /** When it opens: five fields of cron. */
  readonly schedule: string;
  readonly durationMs: number;
  /** An IANA time zone, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

/** No activation starts between two instants. */
export interface Freeze {
  readonly from: number;
  readonly until: number;
  readonly reason: string;
  readonly author: string;
  readonly scope: Scope;
}

/** A program that workers know by name, or one that is run on the host. */
export type Hook =
  | { readonly kind: 'worker-command'; readonly name: string; readonly timeoutMs: number }
  | { readonly kind: 'command'; readonly command: readonly string[]; readonly timeoutMs: number };

export interface RebootPolicy {
  /** `window`: when it is due and a maintenance window is open. `after-deploy`: as soon as it is due. */
  readonly when: 'never' | 'window' | 'after-deploy';
  /** From the order to reboot until the host is back and healthy. */
  readonly deadlineMs: number;
  /** Before the reboot; what fails keeps the host from being rebooted. */
  readonly drain: Hook | undefined;
  /** After the host is back and healthy. */
  readonly undrain: Hook | undefined;
}

/** How many profile generations stay on a host, besides those that something needs. */
export interface Retention {
  readonly keep: number;
  /** Whether `nix-collect-garbage` runs there afterwards, inside a window. */
  readonly collectGarbage: boolean;
}

/** What a repository that says nothing of rollouts gets: every host at once, and none after a failure. */
export const plainRollout: RolloutPolicy = {
  waves: [{ name: 'all', maxUnavailable: undefined, soakMs: 0, approval: false }],
  maxUnavailable: undefined,
  onFailure: 'continue',
  failureThreshold: { unit: 'hosts', value: 1 },
  rebootsAtOnce: 1,
};
