import type { Check, CheckResult } from './check.ts';
import type { Drift, Expected } from './drift.ts';
import type { Failure } from './errors.ts';
import type { Connection } from './fleet.ts';
import type { DeploymentId, HostName, StorePath } from './names.ts';
import type { Token } from './token.ts';

/** How a deployment ended, as the host's own record says. */
export type RecordedEnd =
  /** `flaw`: what did not go well, and is no reason to go back. */
  | { readonly kind: 'succeeded'; readonly flaw?: Failure }
  | { readonly kind: 'awaiting-reboot' }
  /** Nothing was changed: a check before the switch said no, or it ended before it touched anything. */
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** The system that ran before runs again. `evidence`: the toplevel itself is to blame. */
  | { readonly kind: 'rolled-back'; readonly failure: Failure; readonly evidence: boolean }
  /** The roll back failed as well. */
  | { readonly kind: 'stuck'; readonly failure: Failure };

/** One deployment's journal on a host, kept until the ledger holds its outcome. */
export interface HostRecord {
  readonly deployment: DeploymentId;
  readonly token: Token;
  readonly toplevel: StorePath;
  /** What ran before, and what a roll back returns to. */
  readonly previous: StorePath | undefined;
  /** Of the boot in which the activation was started. */
  readonly bootId: string;
  /** `undefined` while the guard or its watchdog is still at work. */
  readonly end: RecordedEnd | undefined;
}

/** Which systems a host has where it matters: what runs, what the profile is, what would boot. */
export interface Systems {
  readonly current: StorePath | undefined;
  readonly profile: StorePath | undefined;
  readonly bootDefault: StorePath | undefined;
}

export function sameSystems(a: Systems, b: Systems): boolean {
  return a.current === b.current && a.profile === b.profile && a.bootDefault === b.bootDefault;
}

export const rebootReasons = ['kernel', 'initrd', 'kernel-modules', 'kernel-params', 'systemd'] as const;

/** A part of a system that a switch does not replace. */
export type RebootReason = (typeof rebootReasons)[number];

/** For people: `kernel, initrd and kernel modules`. */
export function partsText(parts: readonly RebootReason[]): string {
  const words = parts.map((part) =>
    part === 'kernel-params' ? 'kernel parameters' : part.replace('-', ' '),
  );
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** One link of the system profile. */
export interface ProfileGeneration {
  readonly number: number;
  readonly toplevel: StorePath;
}

/** How the last tidying of a host went; its time is by the host's own clock. */
export interface Tidied {
  readonly agoMs: number;
  /** How many in a row did not come to their end. */
  readonly failures: number;
  /** Why the last one did not. */
  readonly failure: string | undefined;
}

/** Why tidying a host has left something undone there; `undefined`: nothing is undone, or it is being done. */
export function untidied({ tidied, locked }: Pick<ProbeReport, 'tidied' | 'locked'>): string | undefined {
  return tidied === undefined || tidied.failures === 0 || locked
    ? undefined
    : (tidied.failure ?? 'it failed');
}

/** What is to go from a host whose profile is still this generation. */
export interface Tidy {
  readonly profile: StorePath;
  readonly generation: number;
  /** Numbers of profile generations. */
  readonly generations: readonly number[];
  /** The boot menu is written although no generation goes: the last time that failed. */
  readonly bootMenu: boolean;
  readonly collectGarbage: boolean;
}

/** What a host must not lose. */
export interface Retain {
  /** Of the host; any other one has a word of its own. */
  readonly owner: string;
  /** Systems that stay whatever is collected there, because the host may have to return to them. */
  readonly toplevels: readonly StorePath[];
  /** So many profile generations are not worth telling of; `undefined`: any number. */
  readonly keep: number | undefined;
}

/** What one probe of a host says. */
export interface ProbeReport extends Systems {
  readonly booted: StorePath | undefined;
  /** NixOS's own number in /nix/var/nix/profiles/system-N-link. */
  readonly profileGeneration: number | undefined;
  readonly bootId: string;
  readonly failedUnits: readonly string[];
  /** Units that wait to be started again after they ended. */
  readonly restarting: readonly string[];
  /** Of both, those that were not like that before the last activation. */
  readonly newlyFailed: readonly string[];
  /** Bytes free on the store's file system. */
  readonly freeBytes: number;
  /** Someone holds the guard's or switch-to-configuration's lock. */
  readonly locked: boolean;
  readonly owner: string | undefined;
  readonly highestToken: Token | undefined;
  readonly records: readonly HostRecord[];
  readonly nixVersion: string;
  /** The queried toplevels that are valid and rooted on the host. */
  readonly rooted: readonly StorePath[];
  /**
   * What only a boot replaces, where it differs between the booted system and the current one, or the one that boots
   * next.
   */
  readonly rebootNeeded: readonly RebootReason[];
  /** The newest profile generations, newest first; none where there are not more than the probe's target said. */
  readonly generations: readonly ProfileGeneration[];
  /** `undefined`: it never was. */
  readonly tidied: Tidied | undefined;
  /** How long before the probe its garbage was collected for us; `undefined`: never. */
  readonly collectedAgoMs: number | undefined;
  /** Looked for only where the host is not as the probe's target expected it to be. */
  readonly drift: Drift | undefined;
}

/** What the checks say that come before an activation; `problem`: why the host is to be left alone. */
export interface Readiness {
  readonly problem: string | undefined;
}

/** The last contact with a host. */
export type HostContact =
  | {
      readonly kind: 'reached';
      readonly host: HostName;
      readonly incarnation: string;
      /** `askedAt` of the target that this probe read: by the leader's clock, so that it compares with its own. */
      readonly askedAt: number;
      readonly at: number;
      /** Which of the candidates answered. */
      readonly connection: Connection;
      readonly report: ProbeReport;
      /** What the target's checks said. */
      readonly checks: readonly CheckResult[];
      /** Where it was asked for. */
      readonly readiness?: Readiness;
    }
  | {
      readonly kind: 'unreachable';
      readonly host: HostName;
      readonly incarnation: string;
      readonly askedAt: number;
      readonly at: number;
      /** When the first probe was asked for that did not get through, of those since one did; by the leader's clock. */
      readonly since: number;
      /** Probes that failed in a row. */
      readonly attempts: number;
      readonly failure: Failure;
    };

/** What a probe of a host is to do, written by the leader and read when the job runs. */
export interface ProbeTarget {
  readonly host: HostName;
  /** When the leader asked for this probe, by its clock. */
  readonly askedAt: number;
  /** Candidates in the order in which they are tried. */
  readonly connections: readonly Connection[];
  /** Toplevels whose presence on the host is of interest. */
  readonly ask: readonly StorePath[];
  /** Deployments whose outcome the ledger holds: their records may be dropped. */
  readonly acknowledged: readonly DeploymentId[];
  /** Give up whatever has a token below this one and has not started. */
  readonly fence: Token | undefined;
  /** Make this Varve the owner; `takeover` also from another one. */
  readonly adopt: { readonly owner: string; readonly takeover: boolean } | undefined;
  /** Asked as well, if what the host runs is one of `ask`. */
  readonly checks: readonly Check[];
  /** Those that come before an activation: asked whatever the host runs. */
  readonly ready?: readonly Check[];
  /** `undefined`: the host is not known to be ours. */
  readonly retain: Retain | undefined;
  readonly tidy: Tidy | undefined;
  /** `undefined`: nothing is known of what it should be. */
  readonly expected: Expected | undefined;
}
