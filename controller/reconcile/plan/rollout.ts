import { hostsOf, type Desired } from '../../../shared/domain/desired.ts';
import type { Fact, RolloutChange } from '../../../shared/domain/facts.ts';
import type { Memory } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import {
  createApprovals,
  createBudgets,
  dependencyRefusal,
  firstOf,
  lastRefusal,
  waveRefusal,
  type Refusal,
} from './gates.ts';
import type { HostView } from './plan-input.ts';
import { isInFlight, standingOf, type Rolling } from './standing.ts';
import { rollBacks } from './roll-backs.ts';
import { waveStates, type WaveState } from './waves.ts';

/** A host's verdict, judged by itself, with what it was judged by. */
export interface Judged {
  readonly view: HostView;
  readonly verdict: Verdict;
}

export interface Rollout {
  /** The verdicts, as far as the rollout changes them. */
  readonly verdicts: ReadonlyMap<HostName, Verdict>;
  readonly waves: readonly WaveState[];
  /** What the ledger is to learn of it. */
  readonly facts: readonly Fact[];
  /** Hosts that are watched: when each is to be probed next. */
  readonly looks: ReadonlyMap<HostName, number>;
}

type Ready = Extract<Desired, { readonly kind: 'ready' }>;

/**
 * Lets hosts through: who of those that are ready may be activated now, by waves, approvals, dependencies and budgets.
 * What is under way goes on, and whoever returns to a system of before is not held up. Pure.
 */
export function rollOut(judged: readonly Judged[], desired: Ready, memory: Memory, now: number): Rollout {
  const { rollout: policy, groups } = desired.fleet;
  const begun = memory.rollout?.observation === desired.observation.n ? memory.rollout : undefined;
  const hosts = rolling(judged, desired, memory);
  const waves = waveStates(policy, hosts, memory, desired.observation, now);
  // Before anything began, whoever cannot be reached now was away before.
  const wasAbsent = (host: HostName): boolean => begun?.absent.has(host) ?? true;
  const budgets = createBudgets({ policy, groups, hosts, wasAbsent });
  const approvals = createApprovals(memory, desired.observation, desired.release);
  const byName = new Map(hosts.map((host) => [host.view.host, host]));
  const verdicts = new Map<HostName, Verdict>();
  const firstFailed = waves.findIndex(({ state }) => state === 'failed');
  waves.forEach((wave, i) => {
    for (const host of wave.hosts) {
      const refusal = refusalOf(host, wave, i === firstFailed);
      if (refusal !== undefined) verdicts.set(host.view.host, { ...host.verdict, ...refusal });
      else if (host.verdict.kind === 'activate') budgets.take(host);
    }
  });
  return { verdicts, waves, facts: factsOf(waves, desired, memory, now), looks: looksOf(waves, now) };

  function refusalOf(host: Rolling, wave: WaveState, isFirstFailed: boolean): Refusal | undefined {
    const { view, verdict } = host;
    if (!isGated(host)) return undefined;
    const refusal = firstOf([
      waveRefusal(wave, isFirstFailed),
      wave.wave.approval
        ? approvals({ kind: 'wave', name: wave.wave.name }, () => names(wave.hosts))
        : undefined,
      ...groups
        .filter(({ name, approval }) => approval && view.spec.groups.includes(name))
        .map(({ name }) => approvals({ kind: 'group', name }, () => names(inGroup(hosts, name)))),
      dependencyRefusal(view.spec, byName, policy),
      lastRefusal(view.spec, hosts),
      budgets.refusal(host),
    ]);
    // It may be delivered while it waits: that changes nothing that runs.
    return verdict.kind !== 'activate' && refusal?.kind === 'wait' ? undefined : refusal;
  }
}

function rolling(judged: readonly Judged[], desired: Ready, memory: Memory): readonly Rolling[] {
  const specs = hostsOf(desired);
  const rollout = memory.rollout?.observation === desired.observation.n ? memory.rollout : undefined;
  return judged.flatMap(({ view, verdict }) => {
    const spec = specs.get(view.host);
    if (spec === undefined) return [];
    const known = { ...view, spec };
    return [{ view: known, verdict, standing: standingOf(known, verdict, rollout) }];
  });
}

/** Whether the rollout has a say: what was let through before, and whoever goes back, is not asked again. */
function isGated({ view, verdict }: Rolling): boolean {
  if (verdict.kind !== 'activate' && verdict.kind !== 'deliver' && verdict.kind !== 'finalise') return false;
  return !isInFlight(view) && !isGoingBack(view, verdict);
}

function isGoingBack({ remembered }: HostView, { toplevel }: Verdict): boolean {
  return remembered?.pin !== undefined && remembered.pin.to.toplevel === toplevel;
}

function inGroup(hosts: readonly Rolling[], group: string): readonly Rolling[] {
  return hosts.filter(({ view }) => view.spec.groups.includes(group));
}

function names(hosts: readonly Rolling[]): readonly HostName[] {
  return hosts.map(({ view }) => view.host);
}

/** What is new since the ledger was told last. */
function factsOf(waves: readonly WaveState[], desired: Ready, memory: Memory, now: number): readonly Fact[] {
  const { n } = desired.observation;
  const { rollout } = memory;
  if (rollout?.observation !== n) return [];
  const changes: RolloutChange[] = [];
  waves.forEach(({ wave, state, proven, reason }, i) => {
    if (state === 'passed' && i < waves.length - 1 && !rollout.passed.has(wave.name)) {
      changes.push({ kind: 'wave-passed', wave: wave.name });
    }
    if (state === 'failed' && proven && !rollout.failed.has(wave.name)) {
      changes.push({ kind: 'wave-failed', wave: wave.name, reason });
    }
  });
  return [
    ...changes.map((change): Fact => ({ kind: 'rollout', at: now, observation: n, change })),
    ...rollBacks(waves, desired.fleet.rollout, rollout, now),
  ];
}

/** Once the soak time is over, every host of the wave is asked once more. */
function looksOf(waves: readonly WaveState[], now: number): ReadonlyMap<HostName, number> {
  const looks = new Map<HostName, number>();
  for (const { state, until, hosts } of waves) {
    if (state !== 'soaking' || until === undefined) continue;
    for (const { view, standing } of hosts) {
      const asked = view.contact?.askedAt ?? -Infinity;
      if (standing.kind === 'done' && asked < until) looks.set(view.host, Math.max(until, now));
    }
  }
  return looks;
}
