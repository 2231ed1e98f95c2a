import type { ProgressView } from '../../shared/contracts/api-common.ts';
import { isTerminal, type Deployment } from '../../shared/domain/deployment.ts';
import { memberOf } from '../../shared/domain/desired.ts';
import { holdAt, type HoldOn, type Memory } from '../../shared/domain/memory.ts';
import type { DeploymentId, HostName } from '../../shared/domain/names.ts';
import type { Member } from '../../shared/domain/policy.ts';
import type { Observation } from '../../shared/domain/observation.ts';
import type { PassResult } from '../reconcile/reconciler.ts';
import type { SourceState } from '../reconcile/watcher.ts';

/** What the views are drawn from: a snapshot of what the leader knows. */
export interface ViewContext {
  readonly at: number;
  readonly memory: Memory;
  readonly source: SourceState;
  readonly last: PassResult | undefined;
  readonly activity: (deployment: DeploymentId) => Activity | undefined;
}

/** What a deployment is doing right now. */
export interface Activity {
  readonly progress: ProgressView | undefined;
  readonly line: string | undefined;
}

const live = new WeakMap<PassResult, ReadonlyMap<HostName, Deployment>>();

/** The deployments of a pass that have not ended, by host. Made once for each pass: views ask host by host. */
export function liveDeployments(last: PassResult): ReadonlyMap<HostName, Deployment> {
  const known = live.get(last);
  if (known !== undefined) return known;
  const byHost = new Map(
    last.snapshot.deployments.filter((each) => !isTerminal(each)).map((each) => [each.host, each]),
  );
  live.set(last, byHost);
  return byHost;
}

const ofPass = new WeakMap<PassResult, ReadonlyMap<HostName, readonly Deployment[]>>();

/** All deployments that a pass saw, by host. Made once for each pass. */
export function deploymentsByHost(last: PassResult): ReadonlyMap<HostName, readonly Deployment[]> {
  const known = ofPass.get(last);
  if (known !== undefined) return known;
  const byHost = new Map<HostName, Deployment[]>();
  for (const deployment of last.snapshot.deployments) {
    const others = byHost.get(deployment.host);
    if (others === undefined) byHost.set(deployment.host, [deployment]);
    else others.push(deployment);
  }
  ofPass.set(last, byHost);
  return byHost;
}

/**
 * The observation that the verdicts are about. The memory may hold a newer one already: shown beside verdicts of the
 * pass before, it would make a host look in sync with a commit that nobody has judged it by yet.
 */
export function judgedObservation({ last, memory }: ViewContext): Observation | undefined {
  if (last === undefined) return undefined;
  return last.desired.kind === 'unknown' ? memory.observations.at(-1) : last.desired.observation;
}

/** A host with its groups, by the newest revision. */
export function memberAt({ last }: ViewContext, host: HostName): Member {
  return last === undefined ? { name: host, groups: [] } : memberOf(host, last.desired);
}

/** The hold that a host is under, its own or that of a group or of the fleet. */
export function holdOf(context: ViewContext, host: HostName): HoldOn | undefined {
  return holdAt(context.memory, memberAt(context, host), context.at);
}
