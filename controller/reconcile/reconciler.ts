import { FleetError } from '../../shared/domain/errors.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import type { Desired, EvaluationSetback } from '../../shared/domain/desired.ts';
import type { MemoryKeeper } from '../../shared/domain/memory-keeper.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { DeploymentStore, Term } from '../../shared/platform/ports/deployment-store.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { Ids } from '../../shared/platform/ports/ids.ts';
import type { JobQueue } from '../../shared/platform/ports/job-queue.ts';
import type { Ledger } from '../../shared/platform/ports/ledger.ts';
import { apply, intentsOf, send, type ApplyDeps } from './apply.ts';
import { createEvaluationTries } from './evaluation-tries.ts';
import { desire, type ReadManifest } from './desire.ts';
import { createJobTracker } from './job-tracker.ts';
import { newObservation } from './new-observation.ts';
import { createOutages, observe, type Snapshot } from './observe.ts';
import { plan } from './plan/plan.ts';
import type { Patience } from './plan/plan-input.ts';
import type { Rollout } from './plan/rollout.ts';
import { createAskedProbes } from './asked-probes.ts';
import { dueProbes } from './plan/probes.ts';
import { steadyTime } from './steady-time.ts';
import { isAwaited, testingFacts } from './testing.ts';
import { settle, type Settlement } from './plan/settle.ts';
import { hostAhead, type HostAhead } from './plan/tokens-ahead.ts';
import type { Sighting } from './watcher.ts';

export interface ReconcilerDeps {
  readonly clock: Clock;
  /** When the leadership began: nothing that it does is older. */
  readonly since: number;
  readonly ids: Ids;
  readonly queue: JobQueue;
  readonly store: DeploymentStore;
  readonly ledger: Ledger;
  readonly faultPoint: FaultPoint;
  readonly patience: Patience;
  readonly sighting: () => Sighting | undefined;
  /** The manifest that was read last. */
  readonly read: () => ReadManifest | undefined;
  /** The manifest of the last good observation. */
  readonly good: () => ReadManifest | undefined;
  /** Facts that people asked for, to be appended with the next pass. */
  readonly commands: CommandBox;
  /** Whether a host that is ahead of this leadership is a reason for a new one. */
  readonly believesAhead: (host: HostName) => boolean;
  /** People want to see no host as it was before this time. */
  readonly freshSince: () => number;
  /** Told after every append: what became durable. */
  readonly onFacts: (facts: readonly Fact[]) => void;
}

/** Where people's commands wait until they are durable. */
export interface CommandBox {
  /** Everything that waits. `settled` is called with the error, or without one once the facts are durable. */
  take(): readonly { readonly facts: readonly Fact[]; readonly settled: (error?: Error) => void }[];
}

/** What a pass found and decided: what CLI, API and dashboard print. */
export interface PassResult {
  readonly at: number;
  readonly desired: Desired;
  readonly verdicts: readonly Verdict[];
  readonly rollout: Rollout | undefined;
  readonly snapshot: Snapshot;
  /** When the next pass is due at the latest. */
  readonly requeueAt: number | undefined;
}

/** Another controller leads, or the store lives another life: this leadership is over. */
export class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
  /** A host has seen such a token: the next leadership must be above it. */
  readonly ahead: HostAhead | undefined;
  constructor(message: string, ahead?: HostAhead) {
    super(message);
    this.ahead = ahead;
  }
}

export interface Reconciler {
  /** One pass: observe, settle, plan, apply. @throws LeadershipLost, FleetError (transient: try again) */
  pass(): Promise<PassResult>;
}

/** A clock that is set back by more ends the leadership: the next one takes all that is dated later for past. */
const furthestBackMs = 10_000;

/** The reconciler of one leadership: its term, and the memory that the ledger gave. */
export function createReconciler(deps: ReconcilerDeps, term: Term, keeper: MemoryKeeper): Reconciler {
  const { store, queue, faultPoint } = deps;
  const { memory } = keeper;
  const time = steadyTime(deps.clock, deps.since);
  const outages = createOutages();
  const asked = createAskedProbes();
  const evaluationTries = createEvaluationTries(deps.patience);
  let counter = 0;
  const jobs = createJobTracker({
    queue,
    epoch: term.epoch,
    beforeEnqueue: () => faultPoint('before-enqueue'),
    afterEnqueue: () => faultPoint('after-enqueue'),
  });
  const applyDeps: ApplyDeps = {
    store,
    ids: deps.ids,
    jobs,
    asked,
    faultPoint,
    nextToken: () => ({ epoch: term.epoch, counter: (counter += 1) }),
  };

  async function append(facts: readonly Fact[]): Promise<void> {
    if (facts.length === 0) return;
    await faultPoint('before-ledger-commit');
    const appended = await deps.ledger.append(facts);
    await faultPoint('after-ledger-commit');
    if (appended.kind === 'conflict') throw new LeadershipLost('another controller appended to the ledger');
    // Only what is durable is remembered: a pass that could not append decides again from the same memory.
    for (const fact of facts) {
      keeper.remember(fact);
      if (fact.kind === 'outcome') asked.outdate(fact.aim.host, fact.at);
      if (fact.kind === 'observation') for (const host of memory.hosts.keys()) asked.outdate(host, fact.at);
      if (fact.kind === 'retry' && fact.host === undefined) evaluationTries.hurry(fact.at);
    }
    deps.onFacts(facts);
  }

  async function appendCommands(): Promise<void> {
    const commands = deps.commands.take();
    if (commands.length === 0) return;
    try {
      await append(commands.flatMap(({ facts }) => facts));
      commands.forEach(({ settled }) => settled());
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      commands.forEach(({ settled }) => settled(error));
      throw thrown;
    }
  }

  /** Drops from the store what the ledger holds by now, and what is to be evaluated again. */
  async function tidy(
    settlement: Settlement,
    evaluations: Snapshot['evaluations'],
    now: number,
  ): Promise<{ readonly setback: EvaluationSetback | undefined; readonly testAgainAt: number | undefined }> {
    let setback: EvaluationSetback | undefined;
    let testAgainAt: number | undefined;
    for (const { deployment, event } of settlement.revived) {
      await send({ store, faultPoint }, { term, now }, deployment, event);
    }
    for (const deployment of settlement.finished) await store.remove(term, deployment.id);
    for (const key of settlement.evaluated) {
      evaluationTries.forget(key);
      await store.removeEvaluation(key);
    }
    for (const { request, outcome } of evaluations) {
      // A newer tree is wanted: whoever evaluates this one stops, and the newer is not kept waiting.
      if (outcome === undefined && !isAwaited(request.key, memory)) await store.removeEvaluation(request.key);
    }
    for (const { key, failure } of settlement.again) {
      const until = evaluationTries.failed(key, now);
      if (until === undefined) await store.removeEvaluation(key);
      else if (key === memory.newestKey) setback = { failure, until };
      else if (isAwaited(key, memory)) testAgainAt = earliest(testAgainAt, until);
    }
    return { setback, testAgainAt };
  }

  function refuseToLag(snapshot: Snapshot): void {
    const own = { owner: memory.owner, token: { epoch: term.epoch, counter } };
    const ahead = hostAhead(snapshot.contacts.values(), own, deps.believesAhead);
    if (ahead === undefined) return;
    const { host, token } = ahead;
    throw new LeadershipLost(
      `host ${host} has seen token ${token.epoch}.${token.counter}, above this leadership's`,
      ahead,
    );
  }

  return {
    async pass() {
      await appendCommands();
      const snapshot = await observe(store, queue, term, outages);
      if (snapshot === undefined) throw new LeadershipLost('the deployment store lives another life');
      refuseToLag(snapshot);
      const now = time();
      if (now - deps.clock.now() > furthestBackMs) throw new LeadershipLost('the clock was set back');
      const settlement = settle({ memory, ...snapshot, now });
      await append([...settlement.facts, ...newObservation(deps.sighting(), memory, now)]);
      const { setback, testAgainAt } = await tidy(settlement, snapshot.evaluations, now);
      const over = new Set([
        ...settlement.finished.map((deployment) => deployment.id),
        ...settlement.revived.map(({ deployment }) => deployment.id),
      ]);
      const deployments = snapshot.deployments.filter((deployment) => !over.has(deployment.id));
      const present: Snapshot = { ...snapshot, deployments };
      const desired = desire(memory, deps.read(), setback, deps.good());
      await append(testingFacts(deps.sighting(), desired, memory, now));
      const observed = { incarnation: term.incarnation, memory, contacts: snapshot.contacts, deployments };
      let decided = plan(desired, observed, deps.patience, now);
      if (decided.rollout !== undefined && decided.rollout.facts.length > 0) {
        // That a wave failed, say, changes what is to be done: decided again from what is durable by now.
        await append(decided.rollout.facts);
        decided = plan(desired, observed, deps.patience, now);
      }
      const { verdicts, requeueAt, rollout } = decided;
      const due = dueProbes(
        verdicts,
        snapshot.contacts,
        deps.patience,
        now,
        deps.freshSince(),
        rollout?.looks,
      );
      const input = {
        term,
        desired,
        memory,
        snapshot: present,
        verdicts,
        probes: due.hosts,
        fences: settlement.fences,
        now,
      };
      await append(intentsOf(input));
      const retryJobAt = await apply(applyDeps, input);
      return {
        at: now,
        desired,
        verdicts,
        rollout,
        snapshot: present,
        requeueAt: notAtOnce(
          earliest(requeueAt, due.requeueAt, setback?.until, testAgainAt, retryJobAt),
          now,
        ),
      };
    },
  };
}

/**
 * Work that is due now was just started, and its result triggers the next pass; this one only covers notifications
 * that were lost. Without it, a slow probe would be waited for by one pass after the other.
 */
function notAtOnce(due: number | undefined, now: number): number | undefined {
  return due === undefined || due > now ? due : now + 1_000;
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time): time is number => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** The error of a command that reached a controller that does not lead. */
export function notLeading(leader: string | undefined): FleetError {
  return new FleetError({
    code: 'NOT_LEADER',
    disposition: 'transient',
    message: leader === undefined ? 'no controller leads at present' : `controller ${leader} leads`,
    hint: 'try again in a moment, or ask the leading controller',
  });
}
