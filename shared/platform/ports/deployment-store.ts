import type { HostContact, ProbeTarget } from '../../domain/contact.ts';
import type { Deployment } from '../../domain/deployment.ts';
import type { DeploymentId, HostName } from '../../domain/names.ts';
import type { EvaluationOutcome, EvaluationRequest, ReleaseKey } from '../../domain/observation.ts';

/** Identifies the store's current life: a new one begins with each leadership, and when the store is lost or restarted. */
export interface Term {
  readonly epoch: number;
  readonly incarnation: string;
}

export type Written =
  | { readonly kind: 'written' }
  /** Someone else wrote first: read again. */
  | { readonly kind: 'conflict' }
  /** The store's life has changed since the read: probe before starting anything. */
  | { readonly kind: 'other-term' }
  | { readonly kind: 'gone' };

/** A deployment together with the life of the store in which it was read. */
export interface Versioned {
  readonly term: Term;
  readonly deployment: Deployment;
}

/**
 * The live state: what is under way, what hosts said last. Disposable: losing it changes no host. Every write of a
 * deployment is a compare-and-set on (incarnation, version). Every method may throw FleetError STORE_UNAVAILABLE.
 */
export interface DeploymentStore {
  /** The current life; `undefined` in a store that no leader has begun. */
  term(): Promise<Term | undefined>;
  /**
   * Begins a new life, if its epoch is above the present one's; after a restart of the store, which ends a life, the
   * same epoch does too. Contacts and targets of earlier lives are dropped; deployments and evaluations stay. False: a
   * newer leader has begun already.
   */
  begin(term: Term): Promise<boolean>;

  /** Adds a deployment at version 1. `conflict`: the host has another one that is not terminal, or the id exists. */
  create(term: Term, deployment: Deployment): Promise<Written>;
  /** `undefined` also in a store without a life: nothing that is read there could be written. */
  get(id: DeploymentId): Promise<Versioned | undefined>;
  list(): Promise<readonly Deployment[]>;
  /** Replaces version `next.version - 1` of the deployment. */
  compareAndSet(term: Term, next: Deployment): Promise<Written>;
  /** Removes a terminal deployment whose outcome is in the ledger. */
  remove(term: Term, id: DeploymentId): Promise<Written>;

  /** Sets the targets of these hosts; those of others stay. */
  setTargets(term: Term, targets: readonly ProbeTarget[]): Promise<Written>;
  target(host: HostName): Promise<{ readonly term: Term; readonly target: ProbeTarget } | undefined>;
  /**
   * Keeps the newer contact of a host, by `askedAt` and then `at` (an older one is a `conflict`); refused (`other-term`) when the probe
   * began in an earlier life.
   */
  putContact(term: Term, contact: HostContact): Promise<Written>;
  contacts(): Promise<readonly HostContact[]>;

  /** Asks for an evaluation; asking again for the same key changes nothing. */
  askEvaluation(term: Term, request: EvaluationRequest): Promise<Written>;
  evaluation(key: ReleaseKey): Promise<EvaluationState | undefined>;
  evaluations(): Promise<readonly EvaluationState[]>;
  /** The first outcome of a key stays; later ones are `conflict`. */
  putEvaluation(key: ReleaseKey, outcome: EvaluationOutcome): Promise<Written>;
  removeEvaluation(key: ReleaseKey): Promise<void>;

  /** Calls back (coalesced, soon) after something was written by anyone. Returns the closer. */
  onChange(callback: () => void): Promise<() => Promise<void>>;
}

export interface EvaluationState {
  readonly request: EvaluationRequest;
  readonly outcome: EvaluationOutcome | undefined;
}
