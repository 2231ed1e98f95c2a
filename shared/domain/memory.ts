import type { Systems } from './contact.ts';
import type { Action } from './deployment.ts';
import type { Failure } from './errors.ts';
import type { Fact, FactOf, PinnedSystem } from './facts.ts';
import type { Connection, Mode } from './fleet.ts';
import type { DeploymentId, DrvPath, HostName, StorePath } from './names.ts';
import type { Observation, Release, ReleaseKey } from './observation.ts';
import { type Member, type Scope, isIn } from './policy.ts';
import type { Testing } from './testing.ts';
import type { Verdict } from './verdict.ts';

/** The generation that Varve last saw confirmed on a host. */
export interface Confirmed {
  readonly deployment: DeploymentId | undefined;
  readonly observation: number;
  readonly toplevel: StorePath;
  /** `undefined` for what the host ran when it was adopted. */
  readonly drvPath: DrvPath | undefined;
  readonly connection: Connection;
  /** `undefined` for generation 0: what ran when the host was adopted. */
  readonly mode: Mode | undefined;
  readonly at: number;
  /** Set for the boot only: the host has yet to be rebooted into it. */
  readonly awaitingReboot: boolean;
  /** While it awaits the reboot it still runs, and answers as, the system before: that one, and how. */
  readonly beforeReboot?:
    | { readonly toplevel: StorePath | undefined; readonly connection: Connection | undefined }
    | undefined;
}

/** What a host was brought to for good, and what to before that. */
export interface Lasting {
  readonly confirmed: Confirmed | undefined;
  readonly before: Confirmed | undefined;
}

/** What is remembered of one host. */
export interface HostMemory {
  /** `running`: what it ran then, which is generation 0. */
  readonly adopted:
    | {
        readonly by: string;
        readonly at: number;
        readonly running: StorePath | undefined;
        /** How it answered with that. */
        readonly connection: Connection;
      }
    | undefined;
  readonly adoptAsked: { readonly by: string; readonly at: number; readonly takeover: boolean } | undefined;
  readonly confirmed: Confirmed | undefined;
  readonly openIntents: ReadonlyMap<DeploymentId, FactOf<'intent'>>;
  /** The desired toplevel failed here, and it is to blame: not tried again until another one is desired. */
  readonly failed: Failed | undefined;
  /** The same of what the release does not want: what was tested here, or what it was to go back to. */
  readonly failedApart: Failed | undefined;
  /** Attempts in a row at the present desired toplevel that failed for passing reasons. */
  readonly setback: Setback | undefined;
  /** Of this host alone; those of its groups and of the fleet are in `Memory.holds`. */
  readonly hold: Hold | undefined;
  /** The system that it is to return to. */
  readonly pin: Pin | undefined;
  /** What was confirmed before `confirmed`, and ran, if that was another system. */
  readonly before: Confirmed | undefined;
  /** While what is confirmed is only tested: what was lasting before the first of the tests, and is when they are over. */
  readonly lasting: Lasting | undefined;
  /** Every way in which it has answered as something that was confirmed there, newest first; the last few. */
  readonly answered: readonly Connection[];
  readonly lastOutcome: FactOf<'outcome'> | undefined;
  /**
   * A roll back from this failed and nothing was confirmed since: how the host may be reached. What runs there is Varve's
   * own doing, not drift.
   */
  readonly stuck: { readonly toplevel: StorePath; readonly connection: Connection } | undefined;
  /** How often, in a row of days, the confirmed system had to be brought back, and when last. */
  readonly heals: { readonly count: number; readonly at: number } | undefined;
  /** Drift that a person has seen and asked to be replaced; until something is confirmed. */
  readonly mayReplace: Systems | undefined;
  /** A person wants it tried again, and what is wanted there was being evaluated: its failed build is to be forgotten. */
  readonly retryNext: boolean;
  /** A dry activation of this toplevel succeeded. */
  readonly dryRun: StorePath | undefined;
  /**
   * What is confirmed here came with a release whose rollout has not come to its end since: as long as the newest
   * release wants the same here, whichever commit that is of, being unwell speaks against it.
   */
  readonly onTrial: boolean;
  /** What the newest known release wants here. */
  readonly desired: StorePath | undefined;
  /** Its testing branch, as long as there is one. */
  readonly testing: Testing | undefined;
}

/** A toplevel that is known to fail on a host. */
export interface Failed {
  readonly toplevel: StorePath;
  readonly failure: Failure;
  readonly at: number;
}

/** A person's "leave it as it is". */
export interface Hold {
  readonly by: string;
  readonly reason: string;
  readonly at: number;
  readonly until: number | undefined;
}

/** A hold, and what it is on. */
export interface HoldOn extends Hold {
  readonly scope: Scope;
}

export interface Pin {
  readonly to: PinnedSystem;
  readonly cause: 'person' | 'wave';
  readonly from: StorePath | undefined;
  readonly by: string;
  readonly reason: string;
  readonly at: number;
}

/** What is known of the newest observation's rollout. */
export interface Rollout {
  readonly observation: number;
  readonly beganAt: number;
  /** Hosts that could not be reached when it began. */
  readonly absent: ReadonlySet<HostName>;
  readonly passed: ReadonlySet<string>;
  readonly failed: ReadonlyMap<string, WaveFailure>;
  /** Every wave was through at one time: from then on nobody is on trial. */
  readonly over: boolean;
}

/** Why a wave failed, and on which hosts. */
export interface WaveFailure {
  readonly reason: string;
  readonly hosts: readonly HostName[];
}

export interface Setback {
  readonly toplevel: StorePath;
  /** Of the last of them. */
  readonly action: Action;
  readonly count: number;
  /** Of those, how many activations ended without a confirmation and without evidence. */
  readonly unconfirmed: number;
  readonly at: number;
  readonly failure: Failure;
}

/** Everything that the ledger says, indexed. */
export interface Memory {
  readonly owner: string | undefined;
  readonly epoch: number;
  readonly observations: readonly Observation[];
  readonly newestKey: ReleaseKey | undefined;
  /** Observation number → release key. */
  readonly keys: ReadonlyMap<number, ReleaseKey>;
  readonly releases: ReadonlyMap<ReleaseKey, Release>;
  /** How long each release took to evaluate, in milliseconds. */
  readonly evaluationMs: ReadonlyMap<ReleaseKey, number>;
  readonly failedEvaluations: ReadonlyMap<ReleaseKey, Failure>;
  readonly failedBuilds: ReadonlyMap<DrvPath, Failure>;
  readonly hosts: ReadonlyMap<HostName, HostMemory>;
  /** Holds of groups and of the whole fleet. */
  readonly holds: readonly HoldOn[];
  readonly suspended: { readonly by: string; readonly reason: string; readonly at: number } | undefined;
  readonly overrides: readonly FactOf<'override'>[];
  readonly approvals: readonly FactOf<'approved'>[];
  readonly rollout: Rollout | undefined;
  /** Waves that failed in rollouts of before, on hosts for which the newest release has what failed there. */
  readonly halted: ReadonlyMap<string, WaveFailure>;
  /** `<release key> <wave>`: waves that a release has passed, in whichever rollout. */
  readonly proven: ReadonlySet<string>;
  readonly outcomes: readonly FactOf<'outcome'>[];
  readonly outcomeOf: ReadonlyMap<DeploymentId, FactOf<'outcome'>>;
  /** What people and controllers did, oldest first; the last thousand. */
  readonly acts: readonly Act[];
}

/** Facts that somebody is behind. */
export type Act = FactOf<ActKind>;

const actKinds = [
  'hold',
  'hold-lifted',
  'suspended',
  'resumed',
  'override',
  'approved',
  'pin',
  'rollout',
  'retry',
  'adopted',
  'epoch',
] as const;

type ActKind = (typeof actKinds)[number];

/** Whether somebody is behind a fact. */
export function isAct(fact: Fact): fact is Act {
  return actKinds.some((kind) => kind === fact.kind);
}

/** A host that nothing is known of. */
export const blankHost: HostMemory = {
  adopted: undefined,
  adoptAsked: undefined,
  confirmed: undefined,
  openIntents: new Map(),
  failed: undefined,
  failedApart: undefined,
  setback: undefined,
  hold: undefined,
  pin: undefined,
  before: undefined,
  lasting: undefined,
  answered: [],
  lastOutcome: undefined,
  stuck: undefined,
  heals: undefined,
  mayReplace: undefined,
  retryNext: false,
  dryRun: undefined,
  onTrial: false,
  desired: undefined,
  testing: undefined,
};

/** The observation of that number. They are numbered from 1 without gaps, in all but damaged ledgers. */
export function observationOf({ observations }: Memory, n: number): Observation | undefined {
  const expected = observations[n - 1];
  return expected?.n === n ? expected : observations.find((observation) => observation.n === n);
}

/** The newest observation that could be followed: it has a release, and that has hosts. */
export function lastGood({ observations, keys, releases }: Memory): Observation | undefined {
  return observations.findLast(({ n }) => {
    const key = keys.get(n);
    return key !== undefined && (releases.get(key)?.hosts.size ?? 0) > 0;
  });
}

/** What is known of the rollout of an observation; `undefined` until its first activation is let through. */
export function rolloutFor({ rollout }: Memory, n: number): Rollout | undefined {
  return rollout?.observation === n ? rollout : undefined;
}

/** The hold that a host is under at a time, if any: its own, or that of a group or of the fleet. */
export function holdAt(memory: Memory, member: Member, now: number): HoldOn | undefined {
  const own = memory.hosts.get(member.name)?.hold;
  if (own !== undefined && lasts(own, now)) {
    return { ...own, scope: { kind: 'host', host: member.name } };
  }
  return memory.holds.find((hold) => lasts(hold, now) && isIn(hold.scope, member));
}

/** Does a hold still hold at a time? */
export function lasts({ until }: Hold, now: number): boolean {
  return until === undefined || until > now;
}

/** The suspensions of windows and freezes that a host is under at a time: emergencies. */
export function overridesAt(memory: Memory, member: Member, now: number): readonly FactOf<'override'>[] {
  return memory.overrides.filter(({ scope, until }) => until > now && isIn(scope, member));
}

/** The system that a host is to return to at a time, instead of what is desired there. */
export function pinAt(remembered: HostMemory | undefined, now: number): Pin | undefined {
  const pin = remembered?.pin;
  if (pin === undefined) return undefined;
  if (pin.cause === 'wave') return pin.from === remembered?.desired ? pin : undefined;
  return remembered?.hold !== undefined && lasts(remembered.hold, now) ? pin : undefined;
}

/** How a host answered when it was last brought to a system, or was adopted with it, as long as that is remembered. */
export function connectionAs(
  { outcomes, hosts }: Pick<Memory, 'outcomes' | 'hosts'>,
  host: HostName,
  toplevel: StorePath,
): Connection | undefined {
  const { adopted, confirmed, before } = hosts.get(host) ?? {};
  // Whole waves go back to what they ran last: the history is not gone through for each of their hosts.
  const known = [confirmed, before].find((each) => each?.toplevel === toplevel);
  if (known !== undefined) return known.connection;
  const last = outcomes.findLast(
    ({ aim, phase }) =>
      aim.host === host &&
      aim.toplevel === toplevel &&
      (phase === 'succeeded' || phase === 'awaiting-reboot'),
  );
  return last?.connection ?? (adopted?.running === toplevel ? adopted.connection : undefined);
}

/** How a host answers until it is booted into what it was confirmed on. */
export function runsOn(confirmed: Confirmed | undefined): Connection | undefined {
  return confirmed?.awaitingReboot === true ? confirmed.beforeReboot?.connection : confirmed?.connection;
}

/** Whether a host that was to be rebooted into what is confirmed still runs what it ran then. */
export function awaitsReboot(confirmed: Confirmed | undefined, current: StorePath | undefined): boolean {
  if (confirmed?.awaitingReboot !== true) return false;
  const then = confirmed.beforeReboot?.toplevel;
  return then === undefined || then === current;
}

/** A roll back failed there, and it is not known to be all right since: it may have been repaired by hand. */
export function isStuck(
  remembered: HostMemory | undefined,
  { kind, toplevel }: Pick<Verdict, 'kind' | 'toplevel'>,
): boolean {
  if (remembered?.stuck === undefined) return false;
  return kind !== 'in-sync' || toplevel === remembered.stuck.toplevel;
}

/** What speaks against a toplevel on a host. */
export function failureAgainst(
  { failed, failedApart }: HostMemory,
  toplevel: StorePath | undefined,
): Failed | undefined {
  return [failed, failedApart].find((known) => known?.toplevel === toplevel);
}
