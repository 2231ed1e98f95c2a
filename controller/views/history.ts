import { setImmediate } from 'node:timers/promises';

import { phases, type Deployment } from '../../shared/domain/deployment.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { DeploymentId, HostName, Revision } from '../../shared/domain/names.ts';
import type { Observation } from '../../shared/domain/observation.ts';
import type {
  DeploymentView,
  FleetHistory,
  GenerationView,
  HostHistory,
  RevisionView,
  Shown,
} from '../../shared/contracts/api-history.ts';
import { actOf, actsAbout } from './acts.ts';
import type { ViewContext } from './context.ts';
import { generationsOf, summaryOf } from './generations.ts';
import { outcomesByHost } from './outcome-index.ts';
import { saidAround, saidOf, suspensionOf } from './people.ts';
import { releaseView } from './status.ts';
import { noSuchHost } from './names.ts';

/** A host's generations, newest first. `unchanged` ones are derived: no deployment was needed. */
export function hostHistory(context: ViewContext, host: HostName, limit: number): HostHistory {
  const { memory } = context;
  const remembered = memory.hosts.get(host);
  if (remembered === undefined) throw noSuchHost(context, host);
  const outcomes = outcomesByHost(memory)(host);
  const generations: GenerationView[] = [];
  // As far as is asked for: the history grows without end.
  for (let i = memory.observations.length - 1; i >= 0 && generations.length < limit; i -= 1) {
    const observation = memory.observations[i];
    if (observation !== undefined) generations.push(...generationsOf(context, host, observation, outcomes));
  }
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
  return {
    host,
    ...saidAround(context, host),
    generations: generations.slice(0, limit),
    acts: actsAbout(context, host, limit),
  };
}

/** So many hosts are looked at in one go: who leads has a lease to renew beside that. */
const mostAtOnce = 10_000;

/** The fleet's observations and what people did, newest first. */
export async function fleetHistory(context: ViewContext, limit: number): Promise<FleetHistory> {
  const { memory } = context;
  const outcomes = outcomesByHost(memory);
  const observations: FleetHistory['observations'][number][] = [];
  let looked = 0;
  for (const observation of memory.observations.slice(-limit).toReversed()) {
    observations.push({
      observation,
      release: releaseView(context, observation.n),
      ...summaryOf(context, observation, outcomes),
    });
    looked += memory.hosts.size;
    if (looked < mostAtOnce) continue;
    looked = 0;
    await setImmediate();
  }
  return { observations, acts: memory.acts.slice(-limit).toReversed().map(actOf) };
}

/** The last that an observation meant for each host, with what is said of that now. */
function generationsOfObservation(
  context: ViewContext,
  observation: Observation,
  outcomes: ReturnType<typeof outcomesByHost>,
): RevisionView['generations'] {
  return [...context.memory.hosts.keys()].flatMap((host) =>
    generationsOf(context, host, observation, outcomes(host))
      .slice(0, 1)
      .map((generation) => ({ ...generation, ...saidOf(context, host) })),
  );
}

/** @throws FleetError NOT_FOUND */
export function showDeployment(context: ViewContext, id: DeploymentId): Shown {
  const live = context.last?.snapshot.deployments.find((deployment) => deployment.id === id);
  if (live !== undefined) {
    const { progress } = context.activity(id) ?? {};
    return {
      kind: 'deployment',
      deployment: { ...ofLive(live), progress, ...saidAround(context, live.host) },
    };
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
      ...saidAround(context, aim.host),
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
      suspended: suspensionOf(context),
      generations: generationsOfObservation(context, newest, outcomesByHost(context.memory)),
    },
  };
}
