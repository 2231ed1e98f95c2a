import { terminalPhases, type Deployment, type Phase } from '../../shared/domain/deployment.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Observation } from '../../shared/domain/observation.ts';
import type { GenerationView, ObservationSummary } from '../../shared/contracts/api-history.ts';
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

/** What an observation meant for a host that had no deployment for it that has ended. */
type Derived =
  | { readonly result: 'not-evaluated' }
  | { readonly result: 'evaluation-failed'; readonly failure: Failure }
  | { readonly result: 'unchanged'; readonly toplevel: StorePath }
  | { readonly result: 'nothing'; readonly toplevel: StorePath }
  | { readonly result: 'live'; readonly toplevel: StorePath; readonly live: Deployment };

const notEvaluated: Derived = { result: 'not-evaluated' };

/** `undefined` where the observation's release does not have the host. */
function derive(
  { memory, last }: ViewContext,
  host: HostName,
  n: number,
  outcomes: HostOutcomes,
): Derived | undefined {
  const key = memory.keys.get(n);
  const release = key === undefined ? undefined : memory.releases.get(key);
  if (release === undefined) {
    const failure = key === undefined ? undefined : memory.failedEvaluations.get(key);
    return failure === undefined ? notEvaluated : { result: 'evaluation-failed', failure };
  }
  const toplevel = release.hosts.get(host)?.toplevel;
  if (toplevel === undefined) return undefined;
  if (outcomes.runningBefore(n) === toplevel) return { result: 'unchanged', toplevel };
  const deployments = last === undefined ? undefined : deploymentsByHost(last).get(host);
  const live = deployments?.find(({ observation }) => observation === n);
  return live === undefined ? { result: 'nothing', toplevel } : { result: 'live', toplevel, live };
}

function withoutDeployment(
  context: ViewContext,
  host: HostName,
  observation: Observation,
  outcomes: HostOutcomes,
): GenerationView | undefined {
  const derived = derive(context, host, observation.n, outcomes);
  const base = {
    host,
    observation: observation.n,
    at: observation.at,
    revision: observation.revision,
    subject: observation.subject,
    actor: observation.author,
  };
  switch (derived?.result) {
    case undefined:
      return undefined;
    case 'not-evaluated':
      return {
        ...base,
        result: 'no-deployment',
        reason: 'it was not evaluated: newer ones came, or it was blocked',
      };
    case 'evaluation-failed': {
      const { result, failure } = derived;
      return { ...base, result, reason: failure.message, failure };
    }
    case 'unchanged': {
      const { result, toplevel } = derived;
      return { ...base, result, toplevel, reason: 'the same system as before: nothing was done' };
    }
    case 'nothing': {
      const { toplevel } = derived;
      return { ...base, result: 'no-deployment', toplevel, reason: 'nothing was started for it' };
    }
    case 'live': {
      const { toplevel, live } = derived;
      return { ...base, result: live.phase, toplevel, deployment: live.id, reason: live.reason };
    }
  }
}

/**
 * How many hosts came out how, and how long that took: what `generationsOf` says last of each host, counted. A history
 * has a thousand of these for each host, so no text is made for it.
 */
export function summaryOf(
  context: ViewContext,
  observation: Observation,
  outcomes: (host: HostName) => HostOutcomes,
): Pick<ObservationSummary, 'hosts' | 'durationMs'> {
  const hosts = { total: 0, unchanged: 0, succeeded: 0, failed: 0, underWay: 0 };
  let end = -Infinity;
  for (const host of context.memory.hosts.keys()) {
    const ofHost = outcomes(host);
    const attempt = ofHost.attemptsAt(observation.n).at(-1);
    const derived = attempt === undefined ? derive(context, host, observation.n, ofHost) : undefined;
    if (attempt !== undefined) end = Math.max(end, attempt.at);
    else if (derived === undefined) continue;
    hosts.total += 1;
    const phase = attempt?.phase ?? (derived?.result === 'live' ? derived.live.phase : undefined);
    const counted = phase === undefined ? undefined : countedAs(phase);
    if (derived?.result === 'unchanged') hosts.unchanged += 1;
    else if (counted !== undefined) hosts[counted] += 1;
  }
  if (hosts.underWay > 0 || end === -Infinity) return { hosts };
  return { hosts, durationMs: Math.max(end - observation.at, 0) };
}

/** `undefined`: superseded or cancelled, which is neither. */
function countedAs(phase: Phase): 'succeeded' | 'failed' | 'underWay' | undefined {
  if (!terminalPhases.has(phase)) return 'underWay';
  if (phase === 'succeeded' || phase === 'awaiting-reboot') return 'succeeded';
  return phase === 'superseded' || phase === 'cancelled' ? undefined : 'failed';
}
