import type { PassResult } from '../../controller/reconcile/reconciler.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import { cutsOff, type System } from './models/systems.ts';
import { standingFailures } from './standing-failures.ts';
import type { World } from './world.ts';

/** Verdicts that nothing but a person, a commit or a reboot ends. */
function isFinal({ kind, waitsFor, until }: Verdict): boolean {
  switch (kind) {
    case 'in-sync':
    case 'stalled':
    case 'orphaned':
    case 'unmanaged':
      return true;
    case 'held':
      return until === undefined;
    case 'wait':
      return waitsFor === 'reboot';
    default:
      return false;
  }
}

/**
 * A host that moved to another port in the repository before Varve wrote down where it had answered: nothing tells
 * any more where it is, until a commit or a person does. Or one that nothing gets through to and that does not go back by
 * itself: a person booted it into a system that no switch had tried.
 */
function isLost(world: World, { kind, host }: Verdict): boolean {
  if (kind !== 'unreachable') return false;
  const modelHost = world.hosts.get(host);
  const machine = modelHost?.machine;
  const wanted = world.repository.head().content.hosts.get(host);
  if (machine === undefined || wanted === undefined) return false;
  const { quality } = world.systems.find(machine.current);
  if (cutsOff(quality) && machine.current === machine.bootDefault && modelHost?.isBusy() === false)
    return true;
  const known = world.ledger.facts().some((fact) => fact.kind === 'adopted' && fact.host === host);
  return !known && world.systems.find(machine.current).port !== wanted.port;
}

/**
 * The verdicts of a leader for which there is nothing left to do; otherwise what is still going on, for people.
 *
 * @param outdated passes that do not count: they ended before nothing failed any more
 */
export function finalVerdicts(
  world: World,
  outdated: ReadonlySet<PassResult | undefined>,
): readonly Verdict[] | string {
  const { revision } = world.repository.head();
  for (const controller of world.leaders()) {
    const last = controller.reign()?.last;
    if (last === undefined || outdated.has(last)) continue;
    const { desired, verdicts, snapshot } = last;
    if (desired.kind !== 'ready') return `the leader's desired state is ${desired.kind}`;
    if (desired.observation.revision !== revision) return 'the leader has not seen the newest revision';
    const open = verdicts.filter((verdict) => !isFinal(verdict) && !isLost(world, verdict));
    if (open.length > 0) return open.map(({ host, kind, reason }) => `${host} ${kind}: ${reason}`).join('; ');
    if (snapshot.deployments.length > 0)
      return `deployment ${snapshot.deployments[0]?.id ?? ''} is in the store`;
    return verdicts;
  }
  return 'nobody leads';
}

/** Holds what the leader believes against how the hosts really are. */
export function checkVerdicts(world: World, verdicts: readonly Verdict[]): void {
  const { content } = world.repository.head();
  for (const verdict of verdicts) {
    const host = world.hosts.get(verdict.host)?.machine;
    const wanted = content.hosts.get(verdict.host);
    const lie = (what: string): void =>
      world.invariants.fail({
        invariant: 6,
        host: verdict.host,
        what: `${what} (${verdict.kind}: ${verdict.reason})`,
      });
    if (host === undefined) continue;
    if (wanted === undefined) {
      if (verdict.kind !== 'orphaned' && verdict.kind !== 'held') lie('a removed host is not orphaned');
      continue;
    }
    const system = world.systems.of(verdict.host, wanted);
    const { toplevel } = system;
    const aimed = { host: verdict.host, toplevel: verdict.toplevel ?? toplevel };
    const persistent = host.profile === aimed.toplevel && host.bootDefault === aimed.toplevel;
    if (verdict.kind === 'in-sync' && !(persistent && host.current === toplevel)) {
      lie(`it runs ${host.current.slice(44)}, and ${toplevel.slice(44)} is wanted`);
    }
    if (verdict.kind === 'wait' && !persistent) lie('it does not boot what is wanted');
    if (verdict.kind === 'orphaned' || verdict.kind === 'unmanaged') lie('it is wanted');
    if (verdict.kind === 'stalled' && !excused(world, aimed) && !isHalted(world, verdict)) {
      lie('there is no reason to stall');
    }
  }
  for (const name of content.hosts.keys()) {
    if (!verdicts.some((verdict) => verdict.host === name)) {
      world.invariants.fail({ invariant: 6, host: name, what: `${name} has no verdict` });
    }
  }
}

/** Something speaks against the release on another host, or other hosts use up what may be unavailable. */
function isHalted(world: World, { code }: Verdict): boolean {
  if (code !== 'ROLLOUT_HALTED' && code !== 'ROLLED_BACK_WITH_WAVE') return false;
  const { content } = world.repository.head();
  return [...content.hosts].some(([name, one]) => {
    const outcomes = [...world.invariants.outcomes().values()];
    const isStuck = outcomes.some(({ aim, phase }) => aim.host === name && phase === 'stuck');
    return isStuck || excused(world, world.systems.of(name, one));
  });
}

/** The ledger holds something against this system on its host that the host itself or its build has said. */
function excused(world: World, { host, toplevel }: Pick<System, 'host' | 'toplevel'>): boolean {
  const against = standingFailures(world.ledger.facts(), host, toplevel);
  if (against.some((fact) => fact.evidence || fact.failure?.disposition === 'stalled')) return true;
  return against.filter((fact) => fact.phase === 'unconfirmed').length >= 2;
}
