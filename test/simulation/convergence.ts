import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import type { System } from './models/systems.ts';
import { isLost, type LastWord } from './rest.ts';
import { standingFailures } from './standing-failures.ts';
import type { World } from './world.ts';

/** Holds what the leader believes against how the hosts really are. */
export function checkVerdicts(world: World, { verdicts, at: now }: LastWord): void {
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
    const tested = testedOn(world, verdict.host);
    const back = world.invariants.spoken.sentBack(verdict.host, now);
    const toplevel = back ?? tested ?? world.systems.of(verdict.host, wanted).toplevel;
    const aimed = { host: verdict.host, toplevel: verdict.toplevel ?? toplevel };
    const persistent = host.profile === aimed.toplevel && host.bootDefault === aimed.toplevel;
    const runs = host.current === toplevel && (persistent || (back === undefined && tested !== undefined));
    const isTried = back === undefined && world.policy.of(verdict.host).mode === 'dry-activate';
    if (verdict.kind === 'in-sync' && !runs && !isTried) {
      lie(`it runs ${host.current.slice(44)}, and ${toplevel.slice(44)} is wanted`);
    }
    if (verdict.kind === 'held' && back !== undefined && !runs) {
      lie(`it runs ${host.current.slice(44)}, and was sent back to ${toplevel.slice(44)}`);
    }
    if (verdict.kind === 'held' && !isHeld(world, verdict.host, now)) lie('nobody holds it');
    if (verdict.kind === 'wait') checkWait(world, verdict, persistent, tested !== undefined, now, lie);
    if (verdict.kind === 'orphaned' || verdict.kind === 'unmanaged') lie('it is wanted');
    const isDrift = verdict.code === 'DRIFTED' && host.chosen === host.current;
    if (
      verdict.kind === 'stalled' &&
      !isDrift &&
      !excused(world, aimed) &&
      !isHalted(world, verdict, verdicts)
    ) {
      lie('there is no reason to stall');
    }
  }
  for (const name of content.hosts.keys()) {
    if (!verdicts.some((verdict) => verdict.host === name)) {
      world.invariants.fail({ invariant: 6, host: name, what: `${name} has no verdict` });
    }
  }
}

/** What it waits for is really so. */
function checkWait(
  { invariants, policy, hosts }: World,
  { host, waitsFor, action }: Verdict,
  persistent: boolean,
  isTest: boolean,
  now: number,
  lie: (what: string) => void,
): void {
  const isForBoot = waitsFor === 'reboot' || (waitsFor === 'window' && action === 'reboot');
  if (isForBoot && !persistent) lie('it does not boot what is wanted');
  if (waitsFor === 'approval' && (isTest || invariants.gates.isApproved(host))) lie('it is approved');
  if (waitsFor === 'window') {
    const { windows, rebootWhen } = policy.of(host);
    const never = rebootWhen === 'window' && !windows.some(({ kind }) => kind === 'allow');
    const isClosed = (isForBoot && never) || !invariants.gates.isOpen(host, now);
    if (!isClosed) lie('nothing is closed');
  }
  // Whoever goes back in mode `boot` is there with the next boot, and that comes when its policy says.
  const isGated = !isForBoot && waitsFor !== 'check';
  if (isGated && invariants.spoken.sentBack(host, now) !== undefined) lie('a person sent it back');
  if (waitsFor === 'check' && hosts.get(host)?.machine.quarantined !== true) lie('its checks pass');
}

function isHeld({ invariants: { spoken } }: World, host: HostName, now: number): boolean {
  return spoken.isSuspended() || spoken.isHeld(host, now);
}

/** What the testing branch of a host has for it, by the repository alone; `undefined`: nothing of its own. */
function testedOn({ repository, systems }: World, host: HostName): StorePath | undefined {
  const commit = repository.tests().get(host);
  if (commit === undefined || !repository.isFollowed(commit) || !commit.content.evaluates) return undefined;
  const [tested, tracked] = [commit, repository.head()].map(({ content }) => content.hosts.get(host));
  if (tested === undefined || tracked === undefined) return undefined;
  const { toplevel } = systems.of(host, tested);
  return toplevel === systems.of(host, tracked).toplevel ? undefined : toplevel;
}

/** Something speaks against the release on another host, or other hosts use up what may be unavailable. */
function isHalted(world: World, { code }: Verdict, all: readonly Verdict[]): boolean {
  if (code !== 'ROLLOUT_HALTED' && code !== 'ROLLED_BACK_WITH_WAVE') return false;
  if (all.some((other) => isLost(world, other))) return true;
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
