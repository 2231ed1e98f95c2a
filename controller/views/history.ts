import { activePhases, phases, type Deployment } from '../../shared/domain/deployment.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { DeploymentId, HostName, Revision } from '../../shared/domain/names.ts';
import type { Observation } from '../../shared/domain/observation.ts';
import type {
  DeploymentView,
  FleetHistory,
  GenerationView,
  HostHistory,
  Shown,
} from '../../shared/contracts/api-history.ts';
import { actOf, actsAbout } from './acts.ts';
import type { ViewContext } from './context.ts';
import { saidOf } from './people.ts';
import { releaseView } from './status.ts';
import { noSuchHost } from './names.ts';

/** A host's generations, newest first. `unchanged` ones are derived: no deployment was needed. */
export function hostHistory(context: ViewContext, host: HostName, limit: number): HostHistory {
  const { memory } = context;
  const remembered = memory.hosts.get(host);
  if (remembered === undefined) throw noSuchHost(context, host);
  const outcomes = memory.outcomes.filter(({ aim }) => aim.host === host);
  const generations = memory.observations
    .toReversed()
    .flatMap((observation) => generationsOf(context, host, observation, outcomes));
  if (remembered.adopted !== undefined) {
    generations.push({
      host,
      observation: 0,
      at: remembered.adopted.at,
      result: 'adopted',
      actor: remembered.adopted.by,
      reason: 'what it ran when it was adopted is generation 0',
    });
  }
  return { host, generations: generations.slice(0, limit), acts: actsAbout(context, host, limit) };
}

/** What an observation meant for a host, newest first: every attempt, or why there was none. */
function generationsOf(
  context: ViewContext,
  host: HostName,
  observation: Observation,
  outcomes: readonly FactOf<'outcome'>[],
): GenerationView[] {
  const attempts = outcomes.filter(({ aim }) => aim.observation === observation.n);
  if (attempts.length > 0) return attempts.toReversed().map((outcome) => ofOutcome(outcome, observation));
  const derived = withoutDeployment(context, host, observation, outcomes);
  return derived === undefined ? [] : [derived];
}

function ofOutcome(outcome: FactOf<'outcome'>, observation: Observation): GenerationView {
  return {
    host: outcome.aim.host,
    observation: observation.n,
    at: outcome.at,
    result: outcome.phase,
    revision: outcome.aim.revision,
    subject: observation.subject,
    toplevel: outcome.aim.toplevel,
    deployment: outcome.aim.deployment,
    actor: observation.author,
    reason: outcome.reason,
    durationMs: Math.max(outcome.at - outcome.createdAt, 0),
    delivery: outcome.delivery,
    failure: outcome.failure,
  };
}

/** What an observation meant for a host that needed no deployment for it. */
function withoutDeployment(
  context: ViewContext,
  host: HostName,
  observation: Observation,
  outcomes: readonly FactOf<'outcome'>[],
): GenerationView | undefined {
  const { memory } = context;
  const key = memory.keys.get(observation.n);
  const release = key === undefined ? undefined : memory.releases.get(key);
  const base = {
    host,
    observation: observation.n,
    at: observation.at,
    revision: observation.revision,
    subject: observation.subject,
    actor: observation.author,
  };
  if (release === undefined) {
    const failure = key === undefined ? undefined : memory.failedEvaluations.get(key);
    return failure === undefined
      ? {
          ...base,
          result: 'no-deployment',
          reason: 'it was not evaluated: newer ones came, or it was blocked',
        }
      : { ...base, result: 'evaluation-failed', reason: failure.message, failure };
  }
  const released = release.hosts.get(host);
  if (released === undefined) return undefined;
  const before = runningBefore(outcomes, observation.n);
  if (before === released.toplevel) {
    return {
      ...base,
      result: 'unchanged',
      toplevel: released.toplevel,
      reason: 'the same system as before: nothing was done',
    };
  }
  const live = context.last?.snapshot.deployments.find(
    (deployment) => deployment.host === host && deployment.observation === observation.n,
  );
  return {
    ...base,
    result: live?.phase ?? 'no-deployment',
    toplevel: released.toplevel,
    deployment: live?.id,
    reason: live?.reason ?? 'nothing was started for it',
  };
}

/** The toplevel that the host had been brought to when an observation came. */
function runningBefore(outcomes: readonly FactOf<'outcome'>[], n: number): string | undefined {
  const earlier = outcomes.findLast(
    ({ aim, phase }) => aim.observation <= n && (phase === 'succeeded' || phase === 'awaiting-reboot'),
  );
  return earlier?.aim.toplevel;
}

/** The fleet's observations and what people did, newest first. */
export function fleetHistory(context: ViewContext, limit: number): FleetHistory {
  const { memory } = context;
  const outcomes = outcomesByHost(memory);
  return {
    observations: memory.observations
      .toReversed()
      .slice(0, limit)
      .map((observation) => {
        const generations = generationsOfObservation(context, observation, outcomes);
        const count = (...results: readonly string[]) =>
          generations.filter(({ result }) => results.includes(result)).length;
        const hosts = {
          total: generations.length,
          unchanged: count('unchanged'),
          succeeded: count('succeeded', 'awaiting-reboot'),
          failed: count('failed', 'rolled-back', 'unconfirmed', 'stuck'),
          underWay: count('pending', 'delivering', 'delivered', ...activePhases),
        };
        const ends = generations.filter(({ durationMs }) => durationMs !== undefined).map(({ at }) => at);
        const durationMs =
          hosts.underWay > 0 || ends.length === 0
            ? undefined
            : Math.max(Math.max(...ends) - observation.at, 0);
        return { observation, release: releaseView(context, observation.n), hosts, durationMs };
      }),
    acts: memory.acts.slice(-limit).toReversed().map(actOf),
  };
}

/** Asked for once, not observation by observation: the history grows without end. */
function outcomesByHost(memory: Memory): ReadonlyMap<HostName, readonly FactOf<'outcome'>[]> {
  const outcomes = new Map<HostName, FactOf<'outcome'>[]>();
  for (const outcome of memory.outcomes) {
    const known = outcomes.get(outcome.aim.host);
    if (known === undefined) outcomes.set(outcome.aim.host, [outcome]);
    else known.push(outcome);
  }
  return outcomes;
}

/** The last that an observation meant for each host. */
function generationsOfObservation(
  context: ViewContext,
  observation: Observation,
  outcomes: ReturnType<typeof outcomesByHost>,
): GenerationView[] {
  return [...context.memory.hosts.keys()].flatMap((host) =>
    generationsOf(context, host, observation, outcomes.get(host) ?? []).slice(0, 1),
  );
}

/** @throws FleetError NOT_FOUND */
export function showDeployment(context: ViewContext, id: DeploymentId): Shown {
  const live = context.last?.snapshot.deployments.find((deployment) => deployment.id === id);
  if (live !== undefined) {
    const { hold } = saidOf(context, live.host);
    const { progress } = context.activity(id) ?? {};
    return { kind: 'deployment', deployment: { ...ofLive(live), progress, hold } };
  }
  const outcome = context.memory.outcomeOf.get(id);
  if (outcome === undefined) {
    throw new FleetError({
      code: 'NOT_FOUND',
      disposition: 'stalled',
      message: `no deployment is called ${id}`,
      hint: '`varve history` has the ids',
    });
  }
  const { aim } = outcome;
  return {
    kind: 'deployment',
    deployment: {
      id,
      host: aim.host,
      phase: outcome.phase,
      action: aim.action,
      mode: aim.mode,
      observation: aim.observation,
      revision: aim.revision,
      tree: aim.tree,
      toplevel: aim.toplevel,
      drvPath: aim.drvPath,
      previous: outcome.previous,
      reason: outcome.reason,
      createdAt: outcome.createdAt,
      phaseAt: outcome.at,
      timeline: timelineOf(outcome.timeline),
      delivery: outcome.delivery,
      failure: outcome.failure,
      evidence: outcome.evidence,
      hold: saidOf(context, aim.host).hold,
    },
  };
}

function ofLive(live: Deployment): DeploymentView {
  return {
    id: live.id,
    host: live.host,
    phase: live.phase,
    action: live.action,
    mode: live.mode,
    observation: live.observation,
    revision: live.revision,
    tree: live.tree,
    toplevel: live.toplevel,
    drvPath: live.drvPath,
    previous: live.previous,
    reason: live.reason,
    createdAt: live.createdAt,
    phaseAt: live.phaseAt,
    timeline: timelineOf(live.timeline),
    delivery: live.delivery,
    failure: live.failure,
    evidence: live.evidence,
  };
}

function timelineOf(timeline: Deployment['timeline']): DeploymentView['timeline'] {
  return phases
    .flatMap((phase) => {
      const at = timeline[phase];
      return at === undefined ? [] : [{ phase, at }];
    })
    .toSorted((a, b) => a.at - b.at);
}

/** @throws FleetError NOT_FOUND */
export function showRevision(context: ViewContext, revision: Revision): Shown {
  const observations = context.memory.observations.filter((each) => each.revision === revision).toReversed();
  const newest = observations[0];
  if (newest === undefined) {
    throw new FleetError({
      code: 'NOT_FOUND',
      disposition: 'stalled',
      message: `revision ${revision} was never observed`,
      hint: '`varve history` lists what was',
    });
  }
  return {
    kind: 'revision',
    revision: {
      observations,
      release: releaseView(context, newest.n),
      generations: generationsOfObservation(context, newest, outcomesByHost(context.memory)),
    },
  };
}
