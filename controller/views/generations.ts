import type { FactOf } from '../../shared/domain/facts.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Observation } from '../../shared/domain/observation.ts';
import type { GenerationView } from '../../shared/contracts/api-history.ts';
import { deploymentsByHost, type ViewContext } from './context.ts';
import type { HostOutcomes } from './outcome-index.ts';

/** What an observation meant for a host, newest first: every attempt, or why there was none. */
export function generationsOf(
  context: ViewContext,
  host: HostName,
  observation: Observation,
  outcomes: HostOutcomes,
): GenerationView[] {
  const attempts = outcomes.attemptsAt(observation.n);
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
  outcomes: HostOutcomes,
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
  const before = outcomes.runningBefore(observation.n);
  if (before === released.toplevel) {
    return {
      ...base,
      result: 'unchanged',
      toplevel: released.toplevel,
      reason: 'the same system as before: nothing was done',
    };
  }
  const live =
    context.last === undefined
      ? undefined
      : deploymentsByHost(context.last)
          .get(host)
          ?.find((deployment) => deployment.observation === observation.n);
  return {
    ...base,
    result: live?.phase ?? 'no-deployment',
    toplevel: released.toplevel,
    deployment: live?.id,
    reason: live?.reason ?? 'nothing was started for it',
  };
}
