import type { HostContact, ProbeTarget, RecordedEnd } from '../../domain/contact.ts';
import type { Delivery, Deployment } from '../../domain/deployment.ts';
import type { Failure } from '../../domain/errors.ts';
import type { StorePath } from '../../domain/names.ts';
import type { EvaluationOutcome, EvaluationRequest } from '../../domain/observation.ts';

/** What a step is given besides its subject. */
export interface StepContext {
  readonly signal: AbortSignal;
  /** One line for the deployment's log, for people. */
  log(line: string): void;
  /** How far the present phase is, where that is known: `done` of `total`, in `unit`. */
  progress(progress: Progress): void;
}

export interface Progress {
  readonly what: string;
  readonly done: number;
  readonly total: number;
  /** Of a push that is measured in bytes: how many store paths they are. */
  readonly paths?: { readonly done: number; readonly total: number };
}

export type DeliverOutcome =
  | { readonly kind: 'delivered'; readonly delivery: Delivery }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What the guard on the host reports while the activation goes on. */
export type ActivationEvent =
  | { readonly kind: 'switched'; readonly previous: StorePath | undefined }
  | { readonly kind: 'roll-back-started'; readonly failure: Failure };

export type ActivateOutcome =
  /** The host's record says how it ended, and what had run before. */
  | { readonly kind: 'ended'; readonly end: RecordedEnd; readonly previous: StorePath | undefined }
  /**
   * The host refused to start it: foreign owner, a token that is not above the highest, something else under way.
   * `failure.details.highest` is the host's highest token (`epoch counter`) for TOKEN_REFUSED.
   */
  | { readonly kind: 'refused'; readonly failure: Failure }
  /** Contact was lost and the deadline passed: the job is to be run again, the host decides meanwhile. */
  | { readonly kind: 'unknown'; readonly failure: Failure };

/** What workers do to the world. One exported function a step; the simulation replaces exactly these. */
export interface Steps {
  evaluate(request: EvaluationRequest, context: StepContext): Promise<EvaluationOutcome>;
  /** Makes the toplevel valid and rooted on this worker and on the host; changes nothing that runs. Idempotent. */
  deliver(deployment: Deployment, context: StepContext): Promise<DeliverOutcome>;
  /**
   * Starts the guard (or attaches to the one of the same deployment), confirms over a fresh connection,
   * acknowledges, and waits for the end. Idempotent: a deployment that the host knows is not started again.
   * `onEvent` is awaited.
   */
  activate(
    deployment: Deployment,
    context: StepContext,
    onEvent: (event: ActivationEvent) => Promise<void>,
  ): Promise<ActivateOutcome>;
  /** One exec on the host: facts, records; drops acknowledged records, raises the fence, adopts. Never throws. */
  probe(target: ProbeTarget, incarnation: string, context: StepContext): Promise<HostContact>;
}
