import { isActive, isTerminal, type Deployment } from '../../shared/domain/deployment.ts';
import { hostsOf, returningBy, type Desired } from '../../shared/domain/desired.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import { rolloutFor, type Memory } from '../../shared/domain/memory.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Token } from '../../shared/domain/token.ts';
import { transition, type LeaderEvent } from '../../shared/domain/transition.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import type { DeploymentStore, Term } from '../../shared/platform/ports/deployment-store.ts';
import type { FaultPoint } from '../../shared/platform/ports/faults.ts';
import type { Ids } from '../../shared/platform/ports/ids.ts';
import type { ProbeTarget } from '../../shared/domain/contact.ts';
import { isAbandoned, mustNotStartYet } from './plan/abandon.ts';
import { intentOf, newDeployment } from './plan/aim.ts';
import { isDoubtful, isLetThrough } from './plan/doubt.ts';
import type { AskedProbes } from './asked-probes.ts';
import { probeTarget } from './plan/probe-target.ts';
import { isOnTrial } from './plan/standing.ts';
import { evaluationRequest } from './release-key.ts';
import { isFollowed } from './plan/judge-said.ts';
import { testingRequests } from './testing.ts';
import { subject, type JobTracker, type Wanted } from './job-tracker.ts';
import type { Snapshot } from './observe.ts';

export interface ApplyDeps {
  readonly store: DeploymentStore;
  readonly ids: Ids;
  readonly jobs: JobTracker;
  readonly asked: AskedProbes;
  readonly faultPoint: FaultPoint;
  /** The next token of this leadership. */
  readonly nextToken: () => Token;
}

export interface ApplyInput {
  readonly term: Term;
  readonly desired: Desired;
  readonly memory: Memory;
  readonly snapshot: Snapshot;
  readonly verdicts: readonly Verdict[];
  readonly probes: readonly HostName[];
  readonly fences: ReadonlyMap<HostName, Token>;
  readonly now: number;
}

/**
 * What has to be in the ledger before `apply` may queue activations: their intents, and with the first one of an
 * observation that its rollout begins. Pure.
 */
export function intentsOf(
  input: Pick<ApplyInput, 'verdicts' | 'snapshot' | 'memory' | 'desired' | 'now'>,
): readonly FactOf<'intent' | 'rollout'>[] {
  const live = liveByHost(input.snapshot.deployments);
  const intents = input.verdicts.flatMap((verdict) => {
    const deployment = verdict.kind === 'activate' ? live.get(verdict.host) : undefined;
    if (deployment === undefined) return [];
    return isLetThrough(deployment, input.memory) ? [] : [intentOf(deployment, input.now)];
  });
  return [...rolloutBegins(input, intents), ...intents];
}

function rolloutBegins(
  { desired, memory, snapshot, now }: Pick<ApplyInput, 'snapshot' | 'memory' | 'desired' | 'now'>,
  intents: readonly FactOf<'intent'>[],
): readonly FactOf<'rollout'>[] {
  if (desired.kind !== 'ready') return [];
  const { n } = desired.observation;
  // What is only tested begins no rollout, and a reboot brings no release.
  const { hosts: released } = desired.release;
  const own = intents.some(
    ({ aim }) =>
      aim.action !== 'reboot' && aim.observation === n && released.get(aim.host)?.toplevel === aim.toplevel,
  );
  if (rolloutFor(memory, n) !== undefined) return [];
  const hosts = hostsOf(desired);
  const names = [...hosts.keys()];
  // Whoever is on trial with what this release wants there as well goes on in its rollout, once it is known who is away.
  const goesOn =
    names.some((host) => isOnTrial(memory.hosts.get(host))) &&
    names.every((host) => snapshot.contacts.has(host));
  if (!own && !goesOn) return [];
  const absent = [...snapshot.contacts.values()]
    .filter(({ kind, host }) => kind === 'unreachable' && hosts.has(host))
    .map(({ host }) => host);
  return [{ kind: 'rollout', at: now, observation: n, change: { kind: 'began', absent, keepsTrials: true } }];
}

/**
 * Carries a plan out, as far as it has not been carried out already. Returns when to look again at the jobs, if
 * it counts on any. Each act is idempotent; a write that another pass or a worker has overtaken is left to the
 * next pass.
 */
export async function apply(deps: ApplyDeps, input: ApplyInput): Promise<number | undefined> {
  const { desired, snapshot, term } = input;
  const live = liveByHost(snapshot.deployments);
  const wanted: Wanted[] = [];
  const fences = new Map(input.fences);
  for (const deployment of live.values()) {
    if (givesUp(deps, input, deployment)) fences.set(deployment.host, deployment.token);
  }
  const newest =
    desired.kind === 'evaluating' ? [evaluationRequest(desired.observation.tree, desired.fleet)] : [];
  for (const request of [...newest, ...testingRequests(desired, input.memory)]) {
    const asked = snapshot.evaluations.find((known) => known.request.key === request.key);
    if (asked === undefined) await deps.store.askEvaluation(term, request);
    if (asked?.outcome === undefined) wanted.push({ step: 'evaluate', key: request.key });
  }
  for (const verdict of input.verdicts) {
    const deployment = live.get(verdict.host);
    const job = await carryOut(deps, input, verdict, deployment);
    if (job !== undefined) wanted.push(job);
  }
  wanted.push(...(await askProbes(deps, { ...input, fences })));
  let again: number | undefined;
  for (const job of wanted) {
    const later = await deps.jobs.ensure(job, snapshot.pending, input.now);
    again = Math.min(again ?? later, later);
  }
  deps.jobs.forget(new Set(wanted.map(subject)), snapshot.pending);
  return again;
}

async function carryOut(
  deps: ApplyDeps,
  input: ApplyInput,
  verdict: Verdict,
  deployment: Deployment | undefined,
): Promise<Wanted | undefined> {
  switch (verdict.kind) {
    case 'deliver':
    case 'finalise':
      return deployment === undefined ? create(deps, input, verdict) : deliveryOf(deployment);
    case 'activate':
      return deployment === undefined ? undefined : activationOf(deployment);
    case 'superseded':
      if (deployment !== undefined)
        await send(deps, input, deployment, { kind: 'supersede', by: verdict.reason });
      return undefined;
    case 'held':
    case 'orphaned':
    case 'stalled':
    case 'unmanaged':
    case 'in-sync':
      if (deployment !== undefined) await cancel(deps, input, deployment, verdict.reason);
      return undefined;
    case 'wait':
      if (deployment === undefined) return undefined;
      if (!isActive(deployment)) {
        // Let through before its window closed, and not begun since: its job must find nothing to do.
        if (verdict.waitsFor === 'window' && isLetThrough(deployment, input.memory)) {
          await cancel(deps, input, deployment, verdict.reason);
        }
        return undefined;
      }
      if (mustNotStartYet(deployment, { ...input, contact: input.snapshot.contacts.get(deployment.host) }))
        return undefined;
      return givesUp(deps, input, deployment) ? undefined : activationOf(deployment);
    case 'probe':
    case 'unreachable':
      return undefined;
  }
}

/** What the host may have started is not cancelled: its record ends it. */
async function cancel(
  deps: ApplyDeps,
  input: ApplyInput,
  deployment: Deployment,
  why: string,
): Promise<void> {
  if (isDoubtful(deployment, input.memory)) return;
  await send(deps, input, deployment, {
    kind: 'cancel',
    why: { code: 'CANCELLED', disposition: 'waiting', message: why },
  });
}

/**
 * No worker is at it, and nobody wants it: instead of being tried again it is fenced, so that it cannot start any
 * more. `settle` ends it once the host has said so.
 */
function givesUp(deps: ApplyDeps, input: ApplyInput, deployment: Deployment): boolean {
  const contact = input.snapshot.contacts.get(deployment.host);
  return (
    !deps.jobs.queued(activationOf(deployment), input.snapshot.pending) &&
    isAbandoned(deployment, { ...input, contact })
  );
}

function deliveryOf({ id, host, phase }: Deployment): Wanted | undefined {
  return phase === 'pending' || phase === 'delivering'
    ? { step: 'deliver', deployment: id, host }
    : undefined;
}

function activationOf({ id, host }: Deployment): Wanted {
  return { step: 'activate', deployment: id, host };
}

async function create(deps: ApplyDeps, input: ApplyInput, verdict: Verdict): Promise<Wanted | undefined> {
  const { memory, snapshot } = input;
  const desired = returningBy(input.desired);
  const spec = hostsOf(desired).get(verdict.host);
  if (!isFollowed(desired) || spec === undefined) return undefined;
  const deployment = newDeployment({
    id: deps.ids.deployment(),
    token: deps.nextToken(),
    verdict,
    spec,
    desired,
    memory,
    contact: snapshot.contacts.get(verdict.host),
    at: input.now,
  });
  if (deployment === undefined) return undefined;
  await deps.faultPoint('before-create');
  const written = await deps.store.create(input.term, deployment);
  await deps.faultPoint('after-create');
  return written.kind === 'written' ? deliveryOf(deployment) : undefined;
}

/** Sends a leader's event. An overtaken one is dropped: the next pass sees what overtook it. */
export async function send(
  deps: Pick<ApplyDeps, 'store' | 'faultPoint'>,
  input: Pick<ApplyInput, 'term' | 'now'>,
  deployment: Deployment,
  event: LeaderEvent,
): Promise<void> {
  const moved = transition(deployment, event, input.now);
  if (moved.kind === 'refused') return;
  await deps.faultPoint('before-compare-and-set');
  await deps.store.compareAndSet(input.term, moved.deployment);
  await deps.faultPoint('after-compare-and-set');
}

async function askProbes(deps: ApplyDeps, input: ApplyInput): Promise<Wanted[]> {
  const hosts = [...new Set<HostName>([...input.probes, ...input.fences.keys()])];
  const verdicts = new Map(input.verdicts.map((verdict) => [verdict.host, verdict]));
  const targets: ProbeTarget[] = [];
  const wanted: Wanted[] = [];
  for (const host of hosts) {
    const target = probeTarget(host, { ...input, verdicts });
    if (target === undefined) continue;
    const job: Wanted = { step: 'probe', host };
    wanted.push(job);
    // A probe that has not begun reads its target when it does: it is written anew only if it would ask too little.
    if (deps.jobs.due(job, input.snapshot.pending, input.now) || !deps.asked.covers(target))
      targets.push(target);
  }
  if (targets.length > 0) {
    const written = await deps.store.setTargets(input.term, targets);
    if (written.kind === 'written') targets.forEach((target) => deps.asked.note(target));
  }
  return wanted;
}

function liveByHost(deployments: readonly Deployment[]): ReadonlyMap<HostName, Deployment> {
  const live = new Map<HostName, Deployment>();
  for (const deployment of deployments) {
    if (!isTerminal(deployment)) live.set(deployment.host, deployment);
  }
  return live;
}
