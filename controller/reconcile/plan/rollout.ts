import type { Ready } from '../../../shared/domain/desired.ts';
import type { Fact, RolloutChange } from '../../../shared/domain/facts.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import {
  pinAt,
  rolloutFor,
  type Memory,
  type Pin,
  type Rollout as Begun,
} from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import { testingBranchOf } from '../../../shared/domain/testing.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { createBudgets } from './budgets.ts';
import {
  createApprovals,
  dependencyRefusal,
  createOrder,
  createTurns,
  notApproved,
  waveRefusal,
  windowRefusalOf,
} from './gates.ts';
import { halted, type Refusal } from './refusal.ts';
import type { Followed } from './judge-said.ts';
import { isWanted, type HostView } from './plan-input.ts';
import {
  bringsRelease,
  isBack,
  isInFlight,
  provenFailure,
  standingOf,
  type Rolling,
  type Standing,
} from './standing.ts';
import { targetOf } from './target.ts';
import { rollBacks } from './roll-backs.ts';
import { isThrough, waveStates, type WaveState } from './waves.ts';

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

/**
 * Lets hosts through: who of those that are ready may be activated now, by waves, approvals, dependencies and budgets.
 * What is under way goes on, whom a person sends back is not held up, and who goes back with a wave waits for its turn
 * only. Pure.
 */
export function rollOut(judged: readonly Judged[], desired: Ready, memory: Memory, now: number): Rollout {
  const { rollout: policy, groups } = desired.fleet;
  const begun = rolloutFor(memory, desired.observation.n);
  const hosts = rolling(judged, desired, now);
  const waves = waveStates(policy, hosts, memory, begun, now);
  const budgets = createBudgets({ policy, groups, hosts, begun });
  const approvals = createApprovals(memory, desired.observation, desired.release);
  const turns = createTurns(createOrder(hosts), budgets);
  const byName = new Map(hosts.map((host) => [host.view.host, host]));
  const others = names(hosts.filter(({ view }) => !view.spec.runsVarve));
  const verdicts = new Map<HostName, Verdict>();
  const firstFailed = waves.findIndex(({ state }) => state === 'failed');
  const takenBack =
    policy.onFailure === 'rollback-all'
      ? waves.find(({ state, proven }) => state === 'failed' && proven)
      : undefined;
  let blocked: string | undefined;
  waves.forEach((wave, i) => {
    const ofWave =
      wave.state === 'closed' && blocked !== undefined
        ? halted(blocked)
        : (waveRefusal(wave, i === firstFailed) ??
          // Who comes late to a wave before gets nothing of what all others went back from.
          (takenBack && halted(`wave ${takenBack.wave.name} failed: ${takenBack.reason}`)));
    const behind: Rolling[] = [];
    for (const host of wave.hosts) {
      const refusal = refusalOf(host, wave, ofWave);
      if (refusal?.waitsFor === 'dependency') behind.push(host);
      // It may be delivered while it waits: that changes nothing that runs.
      const mayGoOn = host.verdict.kind !== 'activate' && refusal?.kind === 'wait';
      if (refusal !== undefined && !mayGoOn) verdicts.set(host.view.host, { ...host.verdict, ...refusal });
      else if (host.verdict.kind === 'activate') turns.take(host);
    }
    haltBehind(behind);
    const cannotMove =
      wave.state === 'moving' && wave.moving.every((name) => verdicts.get(name)?.kind === 'stalled');
    const first = wave.moving[0];
    if (cannotMove && first !== undefined) {
      blocked ??= `wave ${wave.wave.name} cannot go on: ${first}: ${verdicts.get(first)?.reason ?? ''}`;
    }
  });
  return { verdicts, waves, facts: factsOf(waves, desired, begun, now), looks: looksOf(waves, now) };

  function refusalOf(host: Rolling, wave: WaveState, ofWave: Refusal | undefined): Refusal | undefined {
    const { view, verdict } = host;
    if (verdict.kind !== 'activate' && verdict.kind !== 'deliver' && verdict.kind !== 'finalise')
      return undefined;
    const pin = sentBackBy(view, verdict, now);
    if (pin?.cause === 'person') return undefined;
    // Who goes back with a wave ends what began in its time, so it waits for none.
    if (pin?.cause === 'wave' && !isBack(view, pin)) {
      return isInFlight(view) ? undefined : turns.refusalBack(host);
    }
    // What was let through is not asked again, unless it has not begun when its window closes.
    if (isInFlight(view)) return windowRefusal(host);
    if (host.isTesting) return windowRefusal(host) ?? turns.refusalApart(host);
    if (!bringsRelease(host)) return windowRefusal(host) ?? turns.refusalApart(host);
    return (
      ofWave ??
      approvalRefusal(host, wave) ??
      windowRefusal(host) ??
      dependencyRefusal(view.spec, byName, policy) ??
      turns.refusal(host)
    );
  }

  /** Who comes after hosts that cannot go on cannot either, nor can who comes after those. */
  function haltBehind(behind: readonly Rolling[]): void {
    const left = behind.filter((host) => !haltsBehind(host));
    if (left.length < behind.length) haltBehind(left);
  }

  function haltsBehind({ view: { spec }, verdict }: Rolling): boolean {
    const moving = (spec.runsVarve ? [...others, ...spec.after] : spec.after).filter(
      (name) => byName.get(name)?.standing.kind === 'moving',
    );
    const [first] = moving;
    const before = first === undefined ? undefined : verdicts.get(first);
    if (before === undefined || !moving.every((name) => verdicts.get(name)?.kind === 'stalled')) return false;
    const why = `${before.host} comes first, and cannot go on: ${before.reason}`;
    verdicts.set(spec.name, { ...verdict, ...halted(why) });
    return true;
  }

  function windowRefusal(host: Rolling): Refusal | undefined {
    return windowRefusalOf(host, desired.fleet, memory, now);
  }

  function approvalRefusal({ view }: Rolling, { wave, hosts: members }: WaveState): Refusal | undefined {
    if (wave.approval) {
      const gate = { kind: 'wave', name: wave.name } as const;
      if (approvals(gate, () => names(members)) === undefined) return notApproved(desired.observation, gate);
    }
    for (const { name, approval } of groups) {
      if (!approval || !view.spec.groups.includes(name)) continue;
      const gate = { kind: 'group', name } as const;
      if (approvals(gate, () => names(inGroup(hosts, name))) === undefined) {
        return notApproved(desired.observation, gate);
      }
    }
    return undefined;
  }
}

/** The hosts that are wanted, each with where it stands. */
export function rolling(judged: readonly Judged[], desired: Followed, now: number): readonly Rolling[] {
  const hosts: Rolling[] = [];
  for (const { view, verdict } of judged) {
    if (!isWanted(view)) continue;
    const isTesting = targetOf(view.host, desired, view.remembered, now)?.testing !== undefined;
    // What it runs says nothing of the release; that the release has failed there before does.
    const standing: Standing = isTesting
      ? (provenFailure(view.remembered) ?? { kind: 'out', why: `it runs ${testingBranchOf(view.host)}` })
      : standingOf(view, verdict);
    hosts.push({ view, verdict, standing, isTesting });
  }
  return hosts;
}

/** However often a check is asked while it is waited for. */
const shortestWatchMs = 10_000;

function watchEveryMs({ checks }: HostSpec): number {
  const later = checks.filter(({ before }) => !before).map(({ intervalMs }) => intervalMs);
  return later.length === 0 ? Infinity : Math.max(shortestWatchMs, Math.min(...later));
}

/** What sends it back, where that is what it is on its way to. */
export function sentBackBy({ remembered }: HostView, { toplevel }: Verdict, now: number): Pin | undefined {
  const pin = pinAt(remembered, now);
  return pin?.to.toplevel === toplevel ? pin : undefined;
}

function inGroup(hosts: readonly Rolling[], group: string): readonly Rolling[] {
  return hosts.filter(({ view }) => view.spec.groups.includes(group));
}

function names(hosts: readonly Rolling[]): readonly HostName[] {
  return hosts.map(({ view }) => view.host);
}

/** What is new since the ledger was told last. */
function factsOf(
  waves: readonly WaveState[],
  desired: Ready,
  begun: Begun | undefined,
  now: number,
): readonly Fact[] {
  if (begun === undefined) return [];
  const changes: RolloutChange[] = [];
  waves.forEach((one, i) => {
    const { wave, state, proven, reason, failed } = one;
    if (isThrough(one) && i < waves.length - 1 && !begun.passed.has(wave.name)) {
      changes.push({ kind: 'wave-passed', wave: wave.name });
    }
    if (state === 'failed' && proven && !begun.failed.has(wave.name)) {
      changes.push({ kind: 'wave-failed', wave: wave.name, reason, hosts: failed });
    }
  });
  const isOver = waves.every(({ state }) => state === 'passed') && waves.some(({ done }) => done > 0);
  if (!begun.over && isOver) changes.push({ kind: 'ended' });
  return [
    ...changes.map((change): Fact => ({
      kind: 'rollout',
      at: now,
      observation: desired.observation.n,
      change,
    })),
    ...rollBacks(waves, desired.fleet.rollout, now),
  ];
}

/** A wave that soaks is watched as often as its checks say, and asked once more when that time is over. */
function looksOf(waves: readonly WaveState[], now: number): ReadonlyMap<HostName, number> {
  const looks = new Map<HostName, number>();
  for (const { state, until, hosts } of waves) {
    if (state !== 'soaking' || until === undefined) continue;
    for (const { view, standing } of hosts) {
      const asked = view.contact?.askedAt ?? -Infinity;
      if (standing.kind !== 'done' || asked >= until) continue;
      looks.set(view.host, Math.max(Math.min(until, asked + watchEveryMs(view.spec)), now));
    }
  }
  return looks;
}
