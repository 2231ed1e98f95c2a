import { isTerminal, type Deployment } from '../../shared/domain/deployment.ts';
import { factKey, type Fact, type FactOf } from '../../shared/domain/facts.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import type { Job } from '../../shared/platform/ports/job-queue.ts';
import type { Term } from '../../shared/platform/ports/deployment-store.ts';
import { createBudgetChecks } from './check-budgets.ts';
import { createEndChecks, type Activation } from './check-ends.ts';
import { createGateChecks, type GateChecks } from './check-gates.ts';
import { createHad } from './had.ts';
import { createIntentChecks } from './check-intents.ts';
import { createOrderChecks } from './check-order.ts';
import { createRolloutChecks } from './check-rollout.ts';
import { createSoakChecks } from './check-soak.ts';
import { createLooks } from './looks.ts';
import type { HostWatch, Machine } from './models/machine.ts';
import type { Repository } from './models/model-source.ts';
import type { StoreState, StoreWatch } from './models/model-store.ts';
import type { Systems } from './models/systems.ts';
import type { WorldPolicy } from './policy.ts';
import { createRollouts } from './rollouts.ts';
import { createSpoken, type Spoken } from './spoken.ts';
import { createWanted, type Wanted } from './wanted.ts';

/** What must never be, and was. */
export interface Violation {
  /** The invariant's number in the design; 0: what people and the policy say of when. */
  readonly invariant: number;
  readonly host: HostName | undefined;
  readonly what: string;
}

export interface Invariants extends HostWatch, StoreWatch {
  enqueued(job: Job, store: StoreState): void;
  appended(fact: Fact): void;
  /** A person was told that this is durable. */
  answered(facts: readonly Fact[]): void;
  /** The first violation, if there was one. */
  violation(): Violation | undefined;
  fail(violation: Violation): void;
  /** An activation whose outcome is not in the ledger. */
  unsettled(): DeploymentId | undefined;
  /** To be called when all is quiet: what started has ended, and the ledger has it. */
  checkClosed(): void;
  outcomes(): ReadonlyMap<DeploymentId, FactOf<'outcome'>>;
  readonly wanted: Wanted;
  readonly spoken: Spoken;
  readonly gates: Pick<GateChecks, 'isOpen' | 'isApproved'>;
  started(machine: Machine, deployment: Deployment): void;
  /** Activations that began on a host. */
  activations(): number;
}

/** Watches hosts, store and ledger as they really are, whatever Varve believes. */
export function createInvariants(deps: {
  readonly now: () => number;
  readonly repository: Repository;
  readonly systems: Systems;
  readonly policy: WorldPolicy;
  readonly machine: (host: HostName) => Machine | undefined;
  readonly note: (what: string) => void;
}): Invariants {
  const { repository, systems, policy } = deps;
  const activations = new Map<DeploymentId, Activation>();
  const newest = new Map<HostName, number>();
  const probed = new Map<HostName, Set<string>>();
  const set = new Set<DeploymentId>();
  const observations = new Map<number, FactOf<'observation'>>();
  const intents = new Map<DeploymentId, FactOf<'intent'>>();
  const outcomes = new Map<DeploymentId, FactOf<'outcome'>>();
  const durable = new Set<string>();
  /** The deployment of each host that the store has and that has not ended. */
  const live = new Map<HostName, DeploymentId>();
  let life: Term | undefined;
  let first: Violation | undefined;

  function fail(violation: Violation): void {
    if (first !== undefined) return;
    first = violation;
    deps.note(`!! invariant ${violation.invariant}: ${violation.what}`);
  }

  function require(holds: boolean, invariant: number, host: HostName, what: string): void {
    if (!holds) fail({ invariant, host, what });
  }

  /** A release of a verified observation, of the host's own testing branch, or what it ran before: nothing else. */
  function checkRelease({ id, host, observation, revision, toplevel, mode }: Deployment): void {
    const seen = observations.get(observation)?.observation;
    const isTest = mode !== 'switch' && mode !== 'boot' && wanted.hasTested(host, revision);
    require(isTest ||
      seen?.revision === revision, 3, host, `${id} is for an observation that the ledger does not have`);
    const commit = repository.find(revision);
    const content = commit?.content.hosts.get(host);
    require(commit !== undefined, 3, host, `${id} is for a revision that the tracked ref never had`);
    const wayBack = isWayBack(host, toplevel);
    require(wayBack ||
      (content !== undefined &&
        systems.of(host, content).toplevel ===
          toplevel), 3, host, `${id} activates ${toplevel}, which is not what its revision says`);
  }

  const ends = createEndChecks({ systems, require });
  const wanted = createWanted({ repository, systems });
  const spoken = createSpoken(policy);
  const had = createHad();
  const isThere = (host: HostName, toplevel: StorePath): boolean => {
    const machine = deps.machine(host);
    return machine?.current === toplevel || machine?.bootDefault === toplevel;
  };
  const keeps = (host: HostName, toplevel: StorePath, awaitsReboot: boolean): boolean => {
    const machine = deps.machine(host);
    const boots = machine?.profile === toplevel && machine.bootDefault === toplevel;
    return boots && (awaitsReboot || machine.current === toplevel);
  };
  const looks = createLooks();
  const rollouts = createRollouts(wanted);
  const gateChecks = createGateChecks({ policy, wanted, spoken, had, require });
  const { isSentBack, goesBackWithWave } = gateChecks;
  const exempt = { isSentBack, goesBackWithWave };
  const rolloutChecks = createRolloutChecks({ policy, wanted, had, require, ...exempt });
  const { isWayBack } = rolloutChecks;
  const intentChecks = createIntentChecks({ wanted, systems, isWayBack, require });
  const known = { policy, wanted, spoken, looks, rollouts, had, isThere, keeps, require, ...exempt };
  const [orderChecks, budgetChecks, soakChecks] = [
    createOrderChecks(known),
    createBudgetChecks(known),
    createSoakChecks(known),
  ];

  return {
    appended(fact) {
      durable.add(factKey(fact));
      wanted.appended(fact);
      spoken.appended(fact);
      gateChecks.appended(fact);
      soakChecks.appended(fact);
      rollouts.appended(fact);
      orderChecks.appended(fact);
      budgetChecks.appended(fact);
      rolloutChecks.appended(fact);
      intentChecks.appended(fact);
      had.appended(fact);
      if (fact.kind === 'observation') observations.set(fact.observation.n, fact);
      if (fact.kind === 'intent') {
        require(!intents.has(fact.aim.deployment), 7, fact.aim
          .host, `${fact.aim.deployment} has two intents`);
        intents.set(fact.aim.deployment, fact);
      }
      if (fact.kind === 'outcome') {
        require(!outcomes.has(fact.aim.deployment), 7, fact.aim
          .host, `${fact.aim.deployment} has two outcomes`);
        outcomes.set(fact.aim.deployment, fact);
        ends.checkOutcome(fact, activations.get(fact.aim.deployment));
      }
    },
    contacted: looks.contacted,
    answered(asked) {
      for (const fact of asked) {
        if (!durable.has(factKey(fact)))
          fail({
            invariant: 7,
            host: undefined,
            what: `a ${fact.kind} was answered, and is not in the ledger`,
          });
      }
    },
    begun(term) {
      life = term;
      looks.begun();
      // What the store has now is what it had some time ago, or nothing.
      if (term === undefined) live.clear();
    },
    enqueued(job, { deployments, contacts }) {
      // What an earlier leadership queues is dropped by the worker that gets it.
      if (job.step !== 'activate' || job.epoch !== life?.epoch) return;
      const { host, deployment: id } = job;
      require(intents.has(id), 7, host, `${id} is queued without an intent`);
      // What has begun for certain is gone on with at once: it needs confirming.
      const phase = deployments.get(id)?.phase;
      const begins = phase === 'delivered' || phase === 'activating';
      require(!begins ||
        contacts.get(host)?.incarnation ===
          life.incarnation, 9, host, `${id} is queued, but ${host} was not probed in this life of the store`);
    },
    written(_term, next) {
      const { host, id } = next;
      const other = live.get(host);
      require(other === undefined ||
        other === id, 1, host, `${id} is ${next.phase} while ${other} has not ended`);
      if (isTerminal(next)) live.delete(host);
      else live.set(host, id);
      if (next.phase !== 'activating' && next.phase !== 'superseded') return;
      if (next.phase === 'activating') set.add(id);
      const known = life !== undefined && probed.get(host)?.has(life.incarnation) === true;
      require(known, 9, host, `${id} becomes ${next.phase}, but ${host} was not probed in this life of the store`);
    },
    probed(machine, incarnation) {
      const lives = probed.get(machine.name) ?? new Set();
      probed.set(machine.name, lives.add(incarnation));
    },
    started(machine, deployment) {
      const { id, host, observation } = deployment;
      deps.note(`** ${host} starts ${id} of observation ${observation}: ${deployment.toplevel.slice(44)}`);
      require(machine.name === host, 3, machine.name, `${id} started on another host than its own`);
      for (const [other, { deployment: under, bootId, end }] of activations) {
        // What a boot leaves open is closed by whoever looks next; a reboot goes on in it.
        const goesOn = bootId === machine.bootId || under.action === 'reboot';
        const busy = under.host === host && end === undefined && goesOn;
        require(!busy, 1, host, `${id} starts while ${other} is under way`);
      }
      require(!activations.has(id), 1, host, `${id} starts a second time`);
      require(set.has(id), 9, host, `${id} starts without having become activating in the store`);
      checkRelease(deployment);
      const wayBack = isWayBack(host, deployment.toplevel);
      require(wayBack ||
        (newest.get(host) ?? 0) <= observation, 5, host, `${id} is older than what was activated before`);
      newest.set(host, Math.max(newest.get(host) ?? 0, observation));
      require(intents.get(id)?.aim.toplevel ===
        deployment.toplevel, 7, host, `${id} starts without an intent`);
      require(!outcomes.has(id), 7, host, `${id} starts although the ledger has its outcome`);
      const isAsked = policy.of(host).checks.some(({ before }) => before);
      // Whoever goes back is asked nothing, and no check goes with what takes it there.
      require(!isAsked ||
        (wayBack && deployment.checks.length === 0) ||
        machine.saidReady.has(id), 0, host, `${id} starts, and the host never said that it is ready`);
      const { bootId, current, profile, bootDefault } = machine;
      const reboots = deployment.action === 'reboot';
      const previous = reboots && current === deployment.toplevel ? machine.booted : current;
      // A reboot is undone for good: what it came from boots next.
      const lasting = reboots ? { profile: previous, bootDefault: previous } : { profile, bootDefault };
      activations.set(id, { deployment, bootId, previous, lasting, end: undefined });
    },
    changed(machine, deployment, toplevel) {
      const { mode } = deployment;
      require(mode !==
        'dry-activate', 3, machine.name, `${deployment.id} sets ${toplevel} where it is only to try`);
      const activation = activations.get(deployment.id);
      const allowed = toplevel === deployment.toplevel || toplevel === activation?.previous;
      require(allowed, 3, machine.name, `${deployment.id} sets ${toplevel}, neither its own nor what ran before`);
    },
    ended(machine, deployment, end) {
      deps.note(`** ${machine.name} ends ${deployment.id}: ${end.kind}`);
      const activation = activations.get(deployment.id);
      if (activation === undefined) return;
      activation.end = end;
      ends.checkRecord(machine, activation, end);
    },
    violation: () => first,
    fail,
    unsettled: () => [...intents.keys()].find((id) => !outcomes.has(id)),
    checkClosed() {
      for (const [id, { deployment }] of activations) {
        require(outcomes.has(
          id,
        ), 7, deployment.host, `${id} was activated, and the ledger never learned how it ended`);
      }
      for (const [id, intent] of intents) {
        require(outcomes.has(id), 7, intent.aim.host, `${id} has an intent and no outcome`);
      }
    },
    outcomes: () => outcomes,
    wanted,
    spoken,
    gates: gateChecks,
    activations: () => activations.size,
  };
}
