import { isActive, isTerminal, type Deployment } from '../../../shared/domain/deployment.ts';
import { hostsOf, memberOf, returningBy, type Desired } from '../../../shared/domain/desired.ts';
import { holdAt, pinAt, type Memory, type Pin } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Member } from '../../../shared/domain/policy.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { mustNotStartYet } from './abandon.ts';
import { isDoubtful, isLetThrough } from './doubt.ts';
import { judgeManaged, judgeUnsettled } from './judge.ts';
import { awaitingRelease, heldReason, isFollowed } from './judge-said.ts';
import { isWanted, type HostView, type Observed, type Patience } from './plan-input.ts';
import { letBack } from './let-back.ts';
import { limitReboots } from './reboot.ts';
import { rollOut, type Judged, type Rollout } from './rollout.ts';

export interface Plan {
  /** Exactly one verdict for every host that is wanted or remembered, sorted by host. */
  readonly verdicts: readonly Verdict[];
  /** When a pass is due at the latest although nothing happened; `undefined`: only when something happens. */
  readonly requeueAt: number | undefined;
  /** How the newest release moves through the fleet, once there is one. */
  readonly rollout: Rollout | undefined;
}

/**
 * Decides what every host needs next, and why. Pure: the same input gives the same plan, whatever the order of
 * hosts; it neither throws nor looks at anything but its arguments.
 */
export function plan(desired: Desired, observed: Observed, patience: Patience, now: number): Plan {
  const wanted = hostsOf(desired);
  const by = returningBy(desired);
  const returning = hostsOf(by);
  const live = new Map<HostName, Deployment>();
  for (const deployment of observed.deployments) {
    if (!isTerminal(deployment)) live.set(deployment.host, deployment);
  }
  const hosts = new Set(wanted.keys());
  for (const host of observed.memory.hosts.keys()) hosts.add(host);
  for (const host of live.keys()) hosts.add(host);
  const judged: Judged[] = [];
  for (const host of [...hosts].sort()) {
    const contact = observed.contacts.get(host);
    const remembered = observed.memory.hosts.get(host);
    const view: HostView = {
      host,
      spec: wanted.get(host) ?? (pinAt(remembered, now) && returning.get(host)),
      remembered,
      contact: contact?.incarnation === observed.incarnation ? contact : undefined,
      live: live.get(host),
    };
    const verdict = judge(view, desired, observed, patience, now);
    if (verdict !== undefined) judged.push({ view, verdict });
  }
  const rollout = desired.kind === 'ready' ? rollOut(judged, desired, observed.memory, now) : undefined;
  const changed =
    rollout?.verdicts ?? (isFollowed(by) ? letBack(judged, by, observed.memory, now) : undefined);
  const letThrough = judged.map(({ verdict }) => changed?.get(verdict.host) ?? verdict);
  // Whoever goes back may be rebooted whatever becomes of the newest observation.
  const verdicts = isFollowed(by)
    ? limitReboots(letThrough, observed, returning, by.fleet.rollout.rebootsAtOnce)
    : letThrough;
  let requeueAt: number | undefined;
  for (const { until } of verdicts) {
    if (until !== undefined) requeueAt = Math.min(requeueAt ?? until, until);
  }
  return { verdicts, requeueAt, rollout };
}

function judge(
  view: HostView,
  desired: Desired,
  observed: Observed,
  patience: Patience,
  now: number,
): Verdict | undefined {
  const { host, remembered, live } = view;
  const base = {
    host,
    waitsFor: undefined,
    until: undefined,
    toplevel: undefined,
    deployment: live?.id,
    code: undefined,
  };
  // An activation is never interrupted, whatever else has become of the host or of the repository meanwhile.
  if (live !== undefined && isActive(live)) {
    // Only the host knows whether it ever began, and whether it may still begin: that is asked first.
    if (live.phase === 'activating' && view.contact === undefined) {
      return {
        ...base,
        kind: 'probe',
        waitsFor: 'host',
        toplevel: live.toplevel,
        reason: `deployment ${live.id} may be under way; not probed yet since this controller leads`,
      };
    }
    const contact = view.contact;
    if (contact !== undefined && mustNotStartYet(live, { desired, memory: observed.memory, contact })) {
      return {
        ...base,
        kind: 'wait',
        waitsFor: 'recovery',
        until: Math.max(contact.askedAt + patience.lookAgainMs, now),
        toplevel: live.toplevel,
        reason: `whether deployment ${live.id} has begun is asked until it is known what is wanted`,
      };
    }
    return {
      ...base,
      kind: 'wait',
      waitsFor: 'activation',
      toplevel: live.toplevel,
      reason: `deployment ${live.id} is ${live.phase}`,
    };
  }
  const pin = pinAt(remembered, now);
  if (pin?.cause !== 'person' || !hasToGetThere(view, pin, desired)) {
    const held = heldBy(observed.memory, memberOf(host, desired), now);
    if (held !== undefined) return { ...base, kind: 'held', waitsFor: 'person', ...held };
  }
  const by = returningBy(desired);
  if (isWanted(view) && pin !== undefined && isFollowed(by)) {
    return judgeManaged(view, by, observed.memory, patience, now);
  }
  if (desired.kind === 'evaluating' && live !== undefined && isOvertaken(live, desired, observed.memory)) {
    return {
      ...base,
      kind: 'superseded',
      toplevel: live.toplevel,
      reason: `observation ${desired.observation.n} is newer; its tree is being evaluated`,
    };
  }
  switch (desired.kind) {
    case 'unknown':
      return { ...base, kind: 'wait', waitsFor: 'the source', reason: desired.reason };
    case 'blocked':
      return {
        ...base,
        kind: 'stalled',
        waitsFor: 'commit or retry',
        code: desired.failure.code,
        reason: `observation ${desired.observation.n} is blocked: ${desired.failure.message}`,
      };
    case 'evaluating':
    case 'ready':
      break;
  }
  if (!isWanted(view)) {
    // A release that is still evaluated says nothing of hosts that the repository does not list.
    if (desired.kind === 'evaluating' && desired.fleet.hosts.kind === 'discovered') {
      return { ...base, ...awaitingRelease(desired) };
    }
    const unsettled = judgeUnsettled(view, observed.memory, patience, now);
    if (unsettled !== undefined) return unsettled;
    // Only mentioned in passing (a retry or a hold of a name that never was a host of ours).
    if (remembered?.adopted === undefined && remembered?.lastOutcome === undefined && live === undefined) {
      return undefined;
    }
    return {
      ...base,
      kind: 'orphaned',
      waitsFor: 'person',
      reason: `observation ${desired.observation.n} does not name it any more; it keeps what it runs and is not touched`,
    };
  }
  return judgeManaged(view, desired, observed.memory, patience, now);
}

/** Who was rolled back is held, but has to get there first: that is said also while nobody knows the repository. */
function hasToGetThere({ spec, contact }: HostView, { to }: Pin, desired: Desired): boolean {
  if (spec !== undefined) return true;
  const isThere = contact?.kind === 'reached' && contact.report.current === to.toplevel;
  return desired.kind === 'unknown' && !isThere;
}

function heldBy(memory: Memory, member: Member, now: number): Pick<Verdict, 'reason' | 'until'> | undefined {
  if (memory.suspended !== undefined) {
    const { by, reason } = memory.suspended;
    return { reason: `everything is suspended by ${by}: ${reason}`, until: undefined };
  }
  const hold = holdAt(memory, member, now);
  return hold === undefined ? undefined : { reason: heldReason(hold), until: hold.until };
}

/**
 * An older observation's activation is in the queue, and has not begun: it would begin while the newer one is being
 * evaluated. Without an intent nothing is queued, and the delivery may turn out to be what the newer one wants as well.
 */
function isOvertaken(
  live: Deployment,
  desired: Extract<Desired, { readonly kind: 'evaluating' }>,
  memory: Memory,
): boolean {
  return (
    live.phase === 'delivered' &&
    live.observation < desired.observation.n &&
    !isDoubtful(live, memory) &&
    isLetThrough(live, memory)
  );
}
