import { assertNever } from './assert-never.ts';
import type { RecordedEnd } from './contact.ts';
import { type Delivery, type Deployment, type Phase } from './deployment.ts';
import type { ErrorCode, Failure } from './errors.ts';
import type { StorePath } from './names.ts';

/** What the leader sends. */
export type LeaderEvent =
  /** A newer observation wants something else. Only before `activating`. */
  | { readonly kind: 'supersede'; readonly by: string }
  /** A person, a hold or a removed host. Only before `activating`. */
  | { readonly kind: 'cancel'; readonly why: Failure }
  /** No worker has it any more; the host's own record, or a fence against a start, says how it ended. */
  | { readonly kind: 'lost'; readonly end: RecordedEnd };

/** What the worker that holds the job sends. */
export type WorkerEvent =
  | { readonly kind: 'deliver-started' }
  | { readonly kind: 'delivered'; readonly delivery: Delivery }
  | { readonly kind: 'deliver-failed'; readonly failure: Failure }
  | { readonly kind: 'activate-started' }
  | { readonly kind: 'switched'; readonly previous: StorePath | undefined }
  | { readonly kind: 'roll-back-started'; readonly failure: Failure }
  | { readonly kind: 'ended'; readonly end: RecordedEnd; readonly previous: StorePath | undefined };

export type DeploymentEvent = LeaderEvent | WorkerEvent;
export type EventKind = DeploymentEvent['kind'];

export type Transition =
  | { readonly kind: 'moved'; readonly deployment: Deployment }
  | { readonly kind: 'refused'; readonly reason: string };

/** The phases in which an event is accepted; everywhere else it is refused. The whole machine is this table. */
export const accepts: Readonly<Record<EventKind, readonly Phase[]>> = {
  supersede: ['pending', 'delivering', 'delivered'],
  cancel: ['pending', 'delivering', 'delivered'],
  // A job that was lost is delivered again: the next worker takes over a delivery that is under way.
  'deliver-started': ['pending', 'delivering'],
  delivered: ['delivering'],
  // Not from `delivered`: a worker that was paused, and whose delivery another one took over, must not undo it.
  'deliver-failed': ['delivering'],
  'activate-started': ['delivered'],
  switched: ['activating'],
  'roll-back-started': ['activating', 'confirming'],
  ended: ['activating', 'confirming', 'rolling-back'],
  lost: ['activating', 'confirming', 'rolling-back'],
};

/** The phases that an event can lead to. */
export const leadsTo: Readonly<Record<EventKind, readonly Phase[]>> = {
  supersede: ['superseded'],
  cancel: ['cancelled'],
  'deliver-started': ['delivering'],
  delivered: ['delivered'],
  'deliver-failed': ['failed'],
  'activate-started': ['activating'],
  switched: ['confirming'],
  'roll-back-started': ['rolling-back'],
  ended: ['succeeded', 'awaiting-reboot', 'failed', 'rolled-back', 'unconfirmed', 'stuck'],
  lost: ['succeeded', 'awaiting-reboot', 'failed', 'rolled-back', 'unconfirmed', 'stuck'],
};

/** The only way to change a deployment's phase. Pure: `at` is the time of the event, in milliseconds. */
export function transition(deployment: Deployment, event: DeploymentEvent, at: number): Transition {
  if (!accepts[event.kind].includes(deployment.phase)) {
    return {
      kind: 'refused',
      reason: `${event.kind} is not accepted in phase ${deployment.phase} of deployment ${deployment.id}`,
    };
  }
  return { kind: 'moved', deployment: moved(deployment, event, at) };
}

function moved(deployment: Deployment, event: DeploymentEvent, at: number): Deployment {
  switch (event.kind) {
    case 'supersede':
      return enter(deployment, 'superseded', at, {
        failure: { code: 'CONFLICT', disposition: 'transient', message: event.by },
      });
    case 'cancel':
      return enter(deployment, 'cancelled', at, { failure: event.why });
    case 'deliver-started':
      return enter(deployment, 'delivering', at, {});
    case 'delivered':
      return enter(deployment, 'delivered', at, { delivery: event.delivery });
    case 'deliver-failed':
      return enter(deployment, 'failed', at, { failure: event.failure });
    case 'activate-started':
      return enter(deployment, 'activating', at, {});
    case 'switched':
      return enter(deployment, 'confirming', at, { previous: event.previous ?? deployment.previous });
    case 'roll-back-started':
      return enter(deployment, 'rolling-back', at, { failure: event.failure });
    case 'ended':
      return ended({ ...deployment, previous: event.previous ?? deployment.previous }, event.end, at);
    case 'lost':
      return ended(deployment, event.end, at);
    default:
      return assertNever(event);
  }
}

function ended(deployment: Deployment, end: RecordedEnd, at: number): Deployment {
  const { phase, failure, evidence } = judgeEnd(end);
  return enter(deployment, phase, at, { failure, evidence });
}

/** The terminal phase that an end on the host stands for, and whether the toplevel itself is to blame. */
export function judgeEnd(end: RecordedEnd): {
  readonly phase: Phase;
  readonly failure: Failure | undefined;
  readonly evidence: boolean;
} {
  switch (end.kind) {
    case 'succeeded':
      return { phase: end.kind, failure: end.flaw, evidence: false };
    case 'awaiting-reboot':
      return { phase: end.kind, failure: undefined, evidence: false };
    case 'failed':
      return { phase: 'failed', failure: end.failure, evidence: blamesToplevel.has(end.failure.code) };
    case 'rolled-back':
      // Without evidence it may have been Varve's own outage: not remembered against the toplevel.
      return {
        phase: end.evidence ? 'rolled-back' : 'unconfirmed',
        failure: end.failure,
        evidence: end.evidence,
      };
    case 'stuck':
      return { phase: 'stuck', failure: end.failure, evidence: true };
    default:
      return assertNever(end);
  }
}

/** Failures before anything was changed that the same toplevel would meet again. */
const blamesToplevel: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ACTIVATION_REFUSED',
  'ACTIVATION_FAILED',
  'BOOTLOADER_FAILED',
  'UNITS_FAILED',
  'CHECK_FAILED',
]);

function enter(
  deployment: Deployment,
  phase: Phase,
  at: number,
  change: Partial<Pick<Deployment, 'delivery' | 'previous' | 'failure' | 'evidence'>>,
): Deployment {
  return {
    ...deployment,
    ...change,
    phase,
    phaseAt: at,
    version: deployment.version + 1,
    timeline: phase in deployment.timeline ? deployment.timeline : { ...deployment.timeline, [phase]: at },
  };
}
