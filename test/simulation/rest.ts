import type { HostName } from '../../shared/domain/names.ts';
import type { Snapshot } from '../../controller/reconcile/observe.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import type { World } from './world.ts';

/** What closes for longer is not waited for. */
const longMs = 30 * 60_000;

/** Verdicts that nothing but a person, a commit, a reboot, or a freeze that goes on for hours ends. */
function isFinal(world: World, verdict: Verdict, all: ReadonlyMap<HostName, Verdict>): boolean {
  const { kind, waitsFor, until } = verdict;
  switch (kind) {
    case 'in-sync':
    case 'stalled':
    case 'orphaned':
    case 'unmanaged':
      return true;
    case 'held':
      return until === undefined;
    case 'wait':
      switch (waitsFor) {
        case 'reboot':
        case 'approval':
          return true;
        case 'check':
          return world.hosts.get(verdict.host)?.machine.quarantined === true;
        case 'window':
          return until === undefined || until > world.scheduler.now() + longMs;
        case 'wave':
        case 'dependency':
          return hostsBefore(world, verdict.host).some((host) => isHeldUp(world, host, all));
        default:
          return false;
      }
    default:
      return false;
  }
}

/** Hosts that go before this one. */
function hostsBefore({ policy, invariants }: World, host: HostName): readonly HostName[] {
  const { wave, after, runsVarve } = policy.of(host);
  const waves = policy.rollout.waves.map(({ name }) => name);
  return invariants.wanted
    .hosts()
    .filter((other) => other !== host)
    .filter(
      (other) =>
        runsVarve || after.includes(other) || waves.indexOf(policy.of(other).wave) < waves.indexOf(wave),
    );
}

/** For good, and in a way that keeps others waiting: whom its checks keep alone nobody waits for. */
function isHeldUp(world: World, host: HostName, all: ReadonlyMap<HostName, Verdict>): boolean {
  const verdict = all.get(host);
  return verdict?.kind === 'wait' && verdict.waitsFor !== 'check' && isFinal(world, verdict, all);
}

/**
 * A host that moved to another port in the repository before Varve wrote down where it had answered: nothing tells
 * any more where it is, until a commit or a person does.
 */
export function isLost(world: World, { kind, host }: Verdict): boolean {
  if (kind !== 'unreachable') return false;
  const machine = world.hosts.get(host)?.machine;
  const wanted = world.repository.head().content.hosts.get(host);
  if (machine === undefined || wanted === undefined) return false;
  const known = world.ledger.facts().some((fact) => fact.kind === 'adopted' && fact.host === host);
  return !known && world.systems.find(machine.current).port !== wanted.port;
}

/** A testing branch that the ledger does not have as it is now, or whose tree has yet to be evaluated. */
function unseenBranch({ repository, ledger, invariants }: World): HostName | undefined {
  const tests = repository.tests();
  const facts = ledger.facts();
  const { revision: head, content } = repository.head();
  return [...content.hosts.keys()].find((host) => {
    const commit = tests.get(host);
    const last = facts.findLast((fact) => fact.kind === 'testing' && fact.host === host);
    const branch = last?.kind === 'testing' ? last.branch : undefined;
    if (commit?.revision !== branch?.revision) return true;
    if (commit === undefined || branch === undefined || !repository.isFollowed(commit)) return false;
    if (branch.onto !== head || branch.ignored !== undefined) return true;
    return (
      invariants.wanted.testedOn(host) !== invariants.wanted.testedForSure(host) &&
      !facts.some((fact) => fact.kind === 'evaluation-failed' && fact.key === branch.key)
    );
  });
}

/** What ran until a host was booted tells nothing of what runs now; the next probe, in its turn, does. */
function bootedSince({ hosts }: World, { host, kind }: Verdict, { contacts }: Snapshot): boolean {
  const contact = contacts.get(host);
  if (kind === 'orphaned' || contact?.kind !== 'reached') return false;
  return hosts.get(host)?.machine.bootId !== contact.report.bootId;
}

/** What a leader said last, and at which time, which its clock may have been wrong about. */
export interface LastWord {
  readonly verdicts: readonly Verdict[];
  readonly at: number;
}

/** The verdicts of a leader for which there is nothing left to do; otherwise what is still going on, for people. */
export function finalVerdicts(world: World): LastWord | string {
  const { revision } = world.repository.head();
  for (const controller of world.leaders()) {
    const last = controller.reign()?.last;
    if (last === undefined || world.passes.isOutdated(last)) continue;
    const { desired, verdicts, snapshot } = last;
    if (desired.kind !== 'ready') return `the leader's desired state is ${desired.kind}`;
    if (desired.observation.revision !== revision) return 'the leader has not seen the newest revision';
    const all = new Map(verdicts.map((verdict) => [verdict.host, verdict]));
    const open = verdicts.filter((verdict) => !isFinal(world, verdict, all) && !isLost(world, verdict));
    if (open.length > 0) return open.map(({ host, kind, reason }) => `${host} ${kind}: ${reason}`).join('; ');
    const booted = verdicts.find((verdict) => bootedSince(world, verdict, snapshot));
    if (booted !== undefined) return `${booted.host} has been booted since it was probed`;
    if (world.features.has('testing')) {
      const unseen = unseenBranch(world);
      if (unseen !== undefined) return `the testing branch of ${unseen} is not known as it is`;
    }
    const unsettled = world.invariants.unsettled();
    if (unsettled !== undefined) return `how ${unsettled} ended is not in the ledger`;
    if (world.people.lastWords().length > 0) return 'people have not said their last word';
    if (snapshot.deployments.length > 0) {
      const left = snapshot.deployments.find(({ host }) => !mayRest(all.get(host)));
      if (left !== undefined) return `deployment ${left.id} is in the store`;
    }
    return { verdicts, at: last.at };
  }
  return 'nobody leads';
}

/** A host that waits for its turn has what it needs delivered already. */
function mayRest(verdict: Verdict | undefined): boolean {
  return verdict?.kind === 'wait' && verdict.waitsFor !== 'reboot';
}
