import type { Failure } from './errors.ts';
import type { Check } from './check.ts';
import {
  type Connection,
  type FlakeSpec,
  type Mode,
  sameConnection,
  type Timeouts,
  type Transport,
  type UnitFailures,
} from './fleet.ts';
import type { RebootPolicy } from './policy.ts';
import type { DeploymentId, DrvPath, HostName, Revision, StorePath, Tree } from './names.ts';
import type { Token } from './token.ts';

export const phases = [
  'pending',
  'delivering',
  'delivered',
  'activating',
  'confirming',
  'rolling-back',
  'succeeded',
  'awaiting-reboot',
  'rolled-back',
  'stuck',
  'failed',
  'unconfirmed',
  'superseded',
  'cancelled',
] as const;

export type Phase = (typeof phases)[number];

/** The phases that nothing leaves. `awaiting-reboot` is one: the boot is seen by probes, not by the deployment. */
export const terminalPhases: ReadonlySet<Phase> = new Set<Phase>([
  'succeeded',
  'awaiting-reboot',
  'rolled-back',
  'stuck',
  'failed',
  'unconfirmed',
  'superseded',
  'cancelled',
]);

/** The phases in which the host may be changing: never superseded, never cancelled. */
export const activePhases: ReadonlySet<Phase> = new Set<Phase>(['activating', 'confirming', 'rolling-back']);

/** What a delivery did, counted. All zero for a revert whose closure is still on the host. */
export interface Delivery {
  readonly builds: number;
  readonly pushedPaths: number;
  readonly pushedBytes: number;
  readonly durationMs: number;
}

export const actions = ['activate', 'finalise', 'reboot'] as const;

/**
 * `activate`: the whole of it. `finalise`: the system runs already, only profile and boot default are set. `reboot`: it
 * is the boot default already, and the host is booted into it.
 */
export type Action = (typeof actions)[number];

/** What a reboot needs to know of its host's policy. */
export type RebootWay = Omit<RebootPolicy, 'when'>;

/**
 * One attempt to bring one host to one generation. The record is small, lives in the deployment store, and only
 * `transition` makes its next version.
 */
export interface Deployment {
  readonly id: DeploymentId;
  readonly version: number;
  readonly host: HostName;
  readonly observation: number;
  readonly revision: Revision;
  readonly tree: Tree;
  readonly toplevel: StorePath;
  /** `undefined`: a system that only the host itself has (what it ran before it was adopted). */
  readonly drvPath: DrvPath | undefined;
  readonly action: Action;
  readonly mode: Mode;
  /** Why it was made, for people. */
  readonly reason: string;
  readonly token: Token;
  readonly owner: string;
  /** Of the last confirmed generation: deliver, activate and probe use these; empty when unknown. */
  readonly known: readonly Connection[];
  /** Of the new generation: confirm and acknowledge use this. */
  readonly next: Connection;
  /** Of a host that goes back: where the newest revision looks for it. An address may change without a new system. */
  readonly nextFallback?: Connection;
  readonly checks: readonly Check[];
  readonly timeouts: Timeouts;
  readonly unitFailures: UnitFailures;
  readonly transport: Transport;
  /** How a reboot goes about it; `undefined` for every other action. */
  readonly reboot: RebootWay | undefined;
  /** Derivations whose build is remembered as failed. */
  readonly knownBad: readonly DrvPath[];
  /** What the host may have to return to: workers keep it, so that it can always be delivered again. */
  readonly retained: readonly StorePath[];
  /** Where the tree keeps the configuration of the host, should it have to be evaluated again. */
  readonly flake: FlakeSpec;
  readonly attribute: string;
  readonly phase: Phase;
  readonly createdAt: number;
  readonly phaseAt: number;
  /** When each phase was entered first, in milliseconds since the epoch. */
  readonly timeline: Readonly<Partial<Record<Phase, number>>>;
  readonly delivery: Delivery | undefined;
  /** What ran before the activation, as the guard recorded it; until it has, as the host was seen. Of a reboot: what was booted. */
  readonly previous: StorePath | undefined;
  readonly failure: Failure | undefined;
  /** The failure is the toplevel's own: an exit code, a failed check, a host that nobody could reach any more. */
  readonly evidence: boolean;
}

export function isTerminal(deployment: Deployment): boolean {
  return terminalPhases.has(deployment.phase);
}

export function isActive(deployment: Deployment): boolean {
  return activePhases.has(deployment.phase);
}

/** How its host may be reached: as the last confirmed generation said, then as the new one does. */
export function candidates({ known, next }: Pick<Deployment, 'known' | 'next'>): readonly Connection[] {
  return known.some((connection) => sameConnection(connection, next)) ? known : [...known, next];
}
