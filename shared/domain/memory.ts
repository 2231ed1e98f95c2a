import type { Systems } from './contact.ts';
import type { Failure } from './errors.ts';
import type { Fact, FactOf, PinnedSystem } from './facts.ts';
import type { Connection, Mode } from './fleet.ts';
import { isDrvPath, type DeploymentId, type DrvPath, type HostName, type StorePath } from './names.ts';
import type { Observation, Release, ReleaseKey } from './observation.ts';
import { isIn, scopeText, type Member, type Scope } from './policy.ts';
import type { Testing } from './testing.ts';

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
  /** While it awaits the reboot it still runs, and answers as, the system before. */
  readonly beforeReboot?: Connection | undefined;
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
  readonly failed:
    | { readonly toplevel: StorePath; readonly failure: Failure; readonly at: number }
    | undefined;
  /** Attempts in a row at the present desired toplevel that failed for passing reasons. */
  readonly setback: Setback | undefined;
  /** Of this host alone; those of its groups and of the fleet are in `Memory.holds`. */
  readonly hold: Hold | undefined;
  /** The system that it is to return to. */
  readonly pin: Pin | undefined;
  /** What was confirmed before `confirmed`, if that was another system. */
  readonly before: Confirmed | undefined;
  readonly lastOutcome: FactOf<'outcome'> | undefined;
  /**
   * A roll back failed and nothing was confirmed since: how the host may be reached. What runs there is Varve's own
   * doing, not drift.
   */
  readonly stuck: Connection | undefined;
  /** How often, in a row of days, the confirmed system had to be brought back, and when last. */
  readonly heals: { readonly count: number; readonly at: number } | undefined;
  /** Drift that a person has seen and asked to be replaced; until something is confirmed. */
  readonly mayReplace: Systems | undefined;
  /** A dry activation of this toplevel succeeded. */
  readonly dryRun: StorePath | undefined;
  /** What the newest known release wants here. */
  readonly desired: StorePath | undefined;
  /** Its testing branch, as long as there is one. */
  readonly testing: Testing | undefined;
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
  /** Wave → why it failed. */
  readonly failed: ReadonlyMap<string, string>;
}

export interface Setback {
  readonly toplevel: StorePath;
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

const rememberedActs = 1_000;
const rememberedApprovals = 100;

interface Draft extends Memory {
  lastRelease: Release | undefined;
  owner: string | undefined;
  epoch: number;
  newestKey: ReleaseKey | undefined;
  readonly observations: Observation[];
  readonly keys: Map<number, ReleaseKey>;
  readonly releases: Map<ReleaseKey, Release>;
  readonly evaluationMs: Map<ReleaseKey, number>;
  readonly failedEvaluations: Map<ReleaseKey, Failure>;
  readonly failedBuilds: Map<DrvPath, Failure>;
  readonly hosts: Map<HostName, HostMemory>;
  holds: readonly HoldOn[];
  suspended: Memory['suspended'];
  overrides: readonly FactOf<'override'>[];
  approvals: readonly FactOf<'approved'>[];
  rollout: Rollout | undefined;
  readonly proven: Set<string>;
  readonly outcomes: FactOf<'outcome'>[];
  readonly outcomeOf: Map<DeploymentId, FactOf<'outcome'>>;
  readonly acts: Act[];
}

export const blankHost: HostMemory = {
  adopted: undefined,
  adoptAsked: undefined,
  confirmed: undefined,
  openIntents: new Map(),
  failed: undefined,
  setback: undefined,
  hold: undefined,
  pin: undefined,
  before: undefined,
  lastOutcome: undefined,
  stuck: undefined,
  heals: undefined,
  mayReplace: undefined,
  dryRun: undefined,
  desired: undefined,
  testing: undefined,
};

export interface MemoryKeeper {
  /** A live view: it changes with every `remember`. */
  readonly memory: Memory;
  /** Takes one fact in. The ledger has dropped repeats; taking one twice would do no harm to decisions. */
  remember(fact: Fact): void;
}

/** An empty memory that learns fact by fact, oldest first. Its cost is that of the fact, not of the history. */
export function createMemory(): MemoryKeeper {
  const draft: Draft = {
    lastRelease: undefined,
    owner: undefined,
    epoch: 0,
    newestKey: undefined,
    observations: [],
    keys: new Map(),
    releases: new Map(),
    evaluationMs: new Map(),
    failedEvaluations: new Map(),
    failedBuilds: new Map(),
    hosts: new Map(),
    holds: [],
    suspended: undefined,
    overrides: [],
    approvals: [],
    rollout: undefined,
    proven: new Set(),
    outcomes: [],
    outcomeOf: new Map(),
    acts: [],
  };
  return { memory: draft, remember: (fact) => learn(draft, fact) };
}

function learn(draft: Draft, fact: Fact): void {
  if (isAct(fact)) {
    draft.acts.push(fact);
    if (draft.acts.length > rememberedActs) draft.acts.shift();
  }
  switch (fact.kind) {
    case 'genesis':
      draft.owner ??= fact.owner;
      return;
    case 'epoch':
      draft.epoch = Math.max(draft.epoch, fact.epoch);
      return;
    case 'observation':
      draft.observations.push(fact.observation);
      draft.newestKey = fact.key;
      if (fact.key !== undefined) draft.keys.set(fact.observation.n, fact.key);
      desire(draft);
      return;
    case 'release':
      // The first complete release of a key is final.
      if (!draft.releases.has(fact.release.key)) {
        draft.releases.set(fact.release.key, sharing(draft.lastRelease, fact.release));
        // The one host of a testing branch is nothing to compare a whole fleet with.
        if (!learnTested(draft, fact.release)) draft.lastRelease = draft.releases.get(fact.release.key);
        draft.evaluationMs.set(fact.release.key, fact.durationMs);
      }
      draft.failedEvaluations.delete(fact.release.key);
      desire(draft);
      return;
    case 'evaluation-failed':
      draft.failedEvaluations.set(fact.key, fact.failure);
      return;
    case 'adopted':
      learnAdoption(draft, fact);
      return;
    case 'adopt-asked':
      change(draft, fact.host, { adoptAsked: { by: fact.by, at: fact.at, takeover: fact.takeover } });
      return;
    case 'intent': {
      if (draft.outcomeOf.has(fact.aim.deployment)) return;
      const open = new Map(hostOf(draft, fact.aim.host).openIntents);
      open.set(fact.aim.deployment, fact);
      change(draft, fact.aim.host, { openIntents: open });
      return;
    }
    case 'outcome':
      learnOutcome(draft, fact);
      return;
    case 'hold':
    case 'hold-lifted':
      learnHold(draft, fact);
      return;
    case 'suspended':
      draft.suspended = { by: fact.by, reason: fact.reason, at: fact.at };
      return;
    case 'resumed':
      draft.suspended = undefined;
      return;
    case 'override':
      draft.overrides = [...draft.overrides.filter(({ until }) => until > fact.at), fact];
      return;
    case 'approved':
      draft.approvals = [...draft.approvals, fact].slice(-rememberedApprovals);
      return;
    case 'rollout':
      learnRollout(draft, fact);
      return;
    case 'pin': {
      const { to, cause, from, by, reason, at } = fact;
      change(draft, fact.host, { pin: { to, cause, from, by, reason, at } });
      return;
    }
    case 'testing':
      learnTesting(draft, fact);
      return;
    case 'retry':
      forget(draft, fact.host);
      goOn(draft);
      if (fact.host !== undefined) change(draft, fact.host, { mayReplace: fact.drift });
      return;
  }
}

/** All releases are kept, and most commits change few hosts: what is the same is in memory once. */
function sharing(before: Release | undefined, release: Release): Release {
  if (before === undefined) return release;
  const hosts = new Map(
    [...release.hosts].map(([host, released]) => {
      const known = before.hosts.get(host);
      if (known?.toplevel !== released.toplevel || known.drvPath !== released.drvPath)
        return [host, released];
      return [host, known];
    }),
  );
  return { ...release, hosts };
}

function hostOf(draft: Draft, host: HostName): HostMemory {
  return draft.hosts.get(host) ?? blankHost;
}

function change(draft: Draft, host: HostName, part: Partial<HostMemory>): void {
  draft.hosts.set(host, { ...hostOf(draft, host), ...part });
}

function isAct(fact: Fact): fact is Act {
  return actKinds.some((kind) => kind === fact.kind);
}

/** The observation of that number. They are numbered from 1 without gaps, in all but damaged ledgers. */
export function observationOf({ observations }: Memory, n: number): Observation | undefined {
  const expected = observations[n - 1];
  return expected?.n === n ? expected : observations.find((observation) => observation.n === n);
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

function learnHold(draft: Draft, fact: FactOf<'hold' | 'hold-lifted'>): void {
  const { scope, at, by } = fact;
  const hold = fact.kind === 'hold' ? { by, reason: fact.reason, at, until: fact.until } : undefined;
  if (scope.kind === 'host') {
    // Whoever lets a host go lets go of what it was rolled back to.
    change(draft, scope.host, hold === undefined ? { hold, pin: undefined } : { hold });
    return;
  }
  const others = draft.holds.filter((known) => scopeText(known.scope) !== scopeText(scope));
  draft.holds = hold === undefined ? others : [...others, { ...hold, scope }];
}

function learnRollout(draft: Draft, { at, observation, change: changed }: FactOf<'rollout'>): void {
  const { rollout } = draft;
  if (changed.kind === 'began') {
    draft.rollout = {
      observation,
      beganAt: at,
      absent: new Set(changed.absent),
      passed: new Set(),
      failed: new Map(),
    };
    return;
  }
  if (rollout?.observation !== observation) return;
  if (changed.kind === 'wave-passed') {
    draft.rollout = { ...rollout, passed: new Set([...rollout.passed, changed.wave]) };
    const key = draft.keys.get(observation);
    if (key !== undefined) draft.proven.add(`${key} ${changed.wave}`);
  } else {
    draft.rollout = { ...rollout, failed: new Map([...rollout.failed, [changed.wave, changed.reason]]) };
  }
}

/** A commit that changes no system goes on with the rollout that it comes upon; any other one ends it. */
function carryOver(draft: Draft, release: Release): void {
  const { rollout } = draft;
  const observation = draft.observations.at(-1)?.n;
  if (rollout === undefined || observation === undefined || rollout.observation === observation) return;
  const key = draft.keys.get(rollout.observation);
  const before = key === undefined ? undefined : draft.releases.get(key);
  if (before !== undefined && sameSystems(before, release)) {
    draft.rollout = { ...rollout, observation };
    return;
  }
  draft.rollout = undefined;
  bringForward(draft);
}

function sameSystems(a: Release, b: Release): boolean {
  if (a.hosts.size !== b.hosts.size) return false;
  for (const [host, { toplevel }] of a.hosts) {
    if (b.hosts.get(host)?.toplevel !== toplevel) return false;
  }
  return true;
}

/** A failure is remembered until another toplevel is desired: B (fails), C, B tries B again. */
function desire(draft: Draft): void {
  const release = draft.newestKey === undefined ? undefined : draft.releases.get(draft.newestKey);
  if (release === undefined) return;
  carryOver(draft, release);
  for (const [host, { toplevel }] of release.hosts) {
    const known = hostOf(draft, host);
    if (known.desired === toplevel) continue;
    change(draft, host, {
      desired: toplevel,
      failed: known.failed?.toplevel === toplevel ? known.failed : undefined,
      setback: undefined,
    });
  }
}

function learnAdoption(draft: Draft, fact: FactOf<'adopted'>): void {
  const { adopted, confirmed } = hostOf(draft, fact.host);
  // Adopted again, and still what Varve made of it: nothing of that is forgotten.
  const unchanged =
    adopted !== undefined && (confirmed?.toplevel === fact.running || confirmed?.awaitingReboot === true);
  const ran = fact.running === undefined ? undefined : generationZero(fact, fact.running);
  change(draft, fact.host, {
    adopted: { by: fact.by, at: fact.at, running: fact.running, connection: fact.connection },
    adoptAsked: undefined,
    confirmed: unchanged ? confirmed : ran,
  });
}

function generationZero(fact: FactOf<'adopted'>, running: StorePath): Confirmed {
  return {
    deployment: undefined,
    observation: 0,
    toplevel: running,
    drvPath: undefined,
    connection: fact.connection,
    mode: undefined,
    at: fact.at,
    awaitingReboot: false,
  };
}

function learnOutcome(draft: Draft, fact: FactOf<'outcome'>): void {
  const { aim } = fact;
  if (draft.outcomeOf.has(aim.deployment)) return;
  draft.outcomes.push(fact);
  draft.outcomeOf.set(aim.deployment, fact);
  const host = hostOf(draft, aim.host);
  const open = new Map(host.openIntents);
  open.delete(aim.deployment);
  change(draft, aim.host, { openIntents: open, lastOutcome: fact });
  switch (fact.phase) {
    case 'succeeded':
    case 'awaiting-reboot':
      change(draft, aim.host, {
        failed: undefined,
        setback: undefined,
        ...(aim.mode === 'dry-activate'
          ? { dryRun: aim.toplevel }
          : {
              stuck: undefined,
              mayReplace: undefined,
              before: host.confirmed?.toplevel === aim.toplevel ? host.before : host.confirmed,
              heals: host.confirmed?.toplevel === aim.toplevel ? healed(host.heals, fact.at) : undefined,
              confirmed: {
                deployment: aim.deployment,
                observation: aim.observation,
                toplevel: aim.toplevel,
                drvPath: aim.drvPath,
                connection: fact.connection,
                mode: aim.mode,
                at: fact.at,
                awaitingReboot: fact.phase === 'awaiting-reboot',
                beforeReboot: fact.phase === 'awaiting-reboot' ? runsOn(host.confirmed) : undefined,
              },
            }),
      });
      return;
    case 'failed':
    case 'rolled-back':
    case 'stuck':
    case 'unconfirmed':
      if (fact.phase === 'stuck') change(draft, aim.host, { stuck: fact.connection });
      if (aim.action === 'reboot') learnReturn(draft, fact);
      if (fact.failure !== undefined) learnFailure(draft, fact, fact.failure);
      return;
    default:
      return;
  }
}

const healedForMs = 24 * 3_600_000;

/** A day without drift, and the next heal does not wait. */
function healed(before: HostMemory['heals'], at: number): NonNullable<HostMemory['heals']> {
  const again = before !== undefined && at - before.at < healedForMs;
  return { count: again ? before.count + 1 : 1, at };
}

/**
 * A host that was rebooted in vain runs what it was booted with before: that is no drift. Which system that is, only the
 * host can tell; it need not be the one that was confirmed before.
 */
function learnReturn(draft: Draft, { aim, phase, previous }: FactOf<'outcome'>): void {
  const { confirmed, before } = hostOf(draft, aim.host);
  if (phase !== 'rolled-back' && phase !== 'unconfirmed') return;
  if (confirmed?.toplevel !== aim.toplevel || previous === aim.toplevel) return;
  if (previous === undefined) return change(draft, aim.host, { confirmed: undefined });
  const ran = before ?? confirmed;
  const connection = connectionAs(draft, aim.host, previous) ?? ran.connection;
  change(draft, aim.host, { confirmed: { ...ran, toplevel: previous, connection } });
}

/** How a host answered when it was last brought to a system, or was adopted with it, as long as that is remembered. */
export function connectionAs(
  { outcomes, hosts }: Pick<Memory, 'outcomes' | 'hosts'>,
  host: HostName,
  toplevel: StorePath,
): Connection | undefined {
  const last = outcomes.findLast(
    ({ aim, phase }) =>
      aim.host === host &&
      aim.toplevel === toplevel &&
      (phase === 'succeeded' || phase === 'awaiting-reboot'),
  );
  const adopted = hosts.get(host)?.adopted;
  return last?.connection ?? (adopted?.running === toplevel ? adopted.connection : undefined);
}

function runsOn(confirmed: Confirmed | undefined): Connection | undefined {
  return confirmed?.awaitingReboot === true ? confirmed.beforeReboot : confirmed?.connection;
}

function learnFailure(draft: Draft, fact: FactOf<'outcome'>, failure: Failure): void {
  const { aim } = fact;
  if (failure.code === 'BUILD_FAILED' && failure.disposition === 'stalled') {
    if (aim.drvPath !== undefined) draft.failedBuilds.set(aim.drvPath, failure);
    // The derivation that really failed: another toplevel that needs it must not build it again either.
    const inner = failure.details?.['derivation'];
    if (inner !== undefined && isDrvPath(inner)) draft.failedBuilds.set(inner, failure);
    return;
  }
  const { desired, setback, pin, testing } = hostOf(draft, aim.host);
  const wanted = [desired, pin?.to.toplevel, testing?.released?.toplevel];
  // A late outcome of what nobody wants any more must not be held against what is wanted now.
  if (desired !== undefined && !wanted.includes(aim.toplevel)) return;
  if (fact.evidence) {
    change(draft, aim.host, { failed: { toplevel: aim.toplevel, failure, at: fact.at } });
    return;
  }
  const before = setback?.toplevel === aim.toplevel ? setback : undefined;
  change(draft, aim.host, {
    setback: {
      toplevel: aim.toplevel,
      count: (before?.count ?? 0) + 1,
      unconfirmed: (before?.unconfirmed ?? 0) + (fact.phase === 'unconfirmed' ? 1 : 0),
      at: fact.at,
      failure,
    },
  });
}

/** No wave has failed any more, and nobody stays back with one. Hosts that still speak against the release fail theirs again. */
function goOn(draft: Draft): void {
  if (draft.rollout !== undefined) draft.rollout = { ...draft.rollout, failed: new Map() };
  bringForward(draft);
}

/** Who was rolled back with a wave follows again. */
function bringForward(draft: Draft): void {
  for (const [host, { pin }] of draft.hosts) {
    if (pin?.cause === 'wave') change(draft, host, { pin: undefined });
  }
}

/** What failed of a testing branch is held against nothing else than what it is now. */
function learnTesting(draft: Draft, { host, branch, at }: FactOf<'testing'>): void {
  const { testing, desired, failed, setback } = hostOf(draft, host);
  const released = branch && draft.releases.get(branch.key)?.hosts.get(host);
  const before = testing?.released?.toplevel;
  const dropped = before !== undefined && before !== desired && before !== released?.toplevel;
  change(draft, host, {
    testing: branch && { ...branch, at, released },
    failed: dropped && failed?.toplevel === before ? undefined : failed,
    setback: dropped && setback?.toplevel === before ? undefined : setback,
  });
}

/** Whether a release is that of a testing branch; its host then knows what it is to run. */
function learnTested(draft: Draft, { key, hosts }: Release): boolean {
  let isTested = false;
  for (const [host, released] of hosts) {
    const { testing } = hostOf(draft, host);
    if (testing?.key !== key) continue;
    change(draft, host, { testing: { ...testing, released } });
    isTested = true;
  }
  return isTested;
}

function forget(draft: Draft, only: HostName | undefined): void {
  for (const host of only === undefined ? [...draft.hosts.keys()] : [only]) {
    const { testing } = hostOf(draft, host);
    if (testing !== undefined) draft.failedEvaluations.delete(testing.key);
    change(draft, host, { failed: undefined, setback: undefined });
    const release = draft.newestKey === undefined ? undefined : draft.releases.get(draft.newestKey);
    const drv = release?.hosts.get(host)?.drvPath;
    const failure = drv === undefined ? undefined : draft.failedBuilds.get(drv);
    for (const known of [...draft.failedBuilds.keys()]) {
      if (known === drv || known === failure?.details?.['derivation']) draft.failedBuilds.delete(known);
    }
  }
  if (only === undefined) {
    draft.failedBuilds.clear();
    draft.failedEvaluations.clear();
  }
}
