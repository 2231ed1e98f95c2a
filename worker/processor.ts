import { isActive, isTerminal, type Deployment } from '../shared/domain/deployment.ts';
import { FleetError, failureOf } from '../shared/domain/errors.ts';
import type { DeploymentId } from '../shared/domain/names.ts';
import { transition, type WorkerEvent } from '../shared/domain/transition.ts';
import type { Clock } from '../shared/platform/ports/clock.ts';
import type { DeploymentStore, Term, Versioned } from '../shared/platform/ports/deployment-store.ts';
import type { FaultPoint } from '../shared/platform/ports/faults.ts';
import type { Job, JobContext, JobQueue, Step } from '../shared/platform/ports/job-queue.ts';
import type { StepContext, Steps } from '../shared/platform/ports/steps.ts';
import { activationEnd } from './outcome.ts';

export interface ProcessorDeps {
  readonly clock: Clock;
  readonly queue: JobQueue;
  readonly store: DeploymentStore;
  readonly steps: Steps;
  readonly faultPoint: FaultPoint;
  /** Where a step's lines and progress go: the deployment's log, or the process's for what has none. */
  readonly contextFor: (subject: DeploymentId | undefined, signal: AbortSignal) => StepContext;
  /** How many jobs of each step this process runs at once. Activations have places of their own. */
  readonly concurrency: Readonly<Record<Step, number>>;
  /** Told of every error that a step threw: its cause is for operators, and nowhere else to be seen. */
  readonly report: (error: unknown, fields: object) => void;
  /** How often, in milliseconds, a step under way looks whether it has been superseded. */
  readonly watchEveryMs: number;
}

export interface Processor {
  start(): Promise<void>;
}

/** Runs jobs: reads what is desired when a job runs, does the step, writes the phase by compare-and-set. */
export function createProcessor(deps: ProcessorDeps): Processor {
  const { store, steps, clock } = deps;

  async function run(job: Job, context: JobContext): Promise<void> {
    const term = await store.term();
    // An older leadership's job: the present one enqueues its own once it has probed the host.
    if (term === undefined || term.epoch !== job.epoch) return;
    switch (job.step) {
      case 'evaluate':
        return evaluate(job.key, context);
      case 'probe':
        return probe(job, context);
      case 'deliver':
        return deliver(job.deployment, context);
      case 'activate':
        return activate(job.deployment, term, context);
    }
  }

  async function evaluate(key: string, { signal }: JobContext): Promise<void> {
    const asked = await store.evaluation(key);
    if (asked === undefined || asked.outcome !== undefined) return;
    const began = clock.now();
    const stop = new AbortController();
    // The leader takes the request back when a newer tree is wanted: its evaluation is not to wait for this one.
    const watching = watch(
      async () => (await store.evaluation(key)) === undefined && (await store.term()) !== undefined,
      stop,
      signal,
    );
    try {
      const context = deps.contextFor(undefined, AbortSignal.any([signal, stop.signal]));
      let cause: unknown;
      const outcome = await steps.evaluate(asked.request, context).catch((thrown: unknown) => {
        cause = thrown;
        return { kind: 'failed' as const, failure: failureOf(thrown), durationMs: clock.now() - began };
      });
      // Given up from outside, so that another worker has it: the first outcome stays, and this one says nothing.
      if (outcome.kind === 'failed' && (signal.aborted || stop.signal.aborted)) return;
      // What the configuration is to blame for is told by the ledger; that this worker cannot evaluate is for operators.
      if (outcome.kind === 'failed' && (cause !== undefined || outcome.failure.disposition !== 'stalled')) {
        deps.report(cause ?? new FleetError(outcome.failure), { step: 'evaluate', release: key });
      }
      await store.putEvaluation(key, outcome);
    } finally {
      stop.abort();
      await watching;
    }
  }

  async function probe(job: Extract<Job, { step: 'probe' }>, { signal }: JobContext): Promise<void> {
    const asked = await store.target(job.host);
    if (asked === undefined || asked.term.epoch !== job.epoch) return;
    const context = deps.contextFor(undefined, signal);
    const contact = await steps.probe(asked.target, asked.term.incarnation, context);
    // Given up from outside: that this worker ends says nothing about the host.
    if (contact.kind === 'unreachable' && signal.aborted) return;
    await store.putContact(asked.term, contact);
  }

  async function deliver(id: DeploymentId, { signal }: JobContext): Promise<void> {
    const begun = await advance(id, { kind: 'deliver-started' });
    if (begun === undefined) return;
    const stop = new AbortController();
    const watching = watch(
      async () => {
        const now = await store.get(id);
        // A store without a life (a Redis that was restarted) knows nothing: what is built goes on meanwhile.
        if (now === undefined) return (await store.term()) !== undefined;
        return isTerminal(now.deployment);
      },
      stop,
      signal,
    );
    try {
      const context = deps.contextFor(id, AbortSignal.any([signal, stop.signal]));
      const outcome = await steps.deliver(begun, context).catch((thrown: unknown) => {
        deps.report(thrown, { step: 'deliver', deployment: id, host: begun.host });
        return { kind: 'failed' as const, failure: failureOf(thrown) };
      });
      // Given up from outside: either nobody wants it any more, or another worker takes it over.
      if (signal.aborted || stop.signal.aborted) return;
      await advance(
        id,
        outcome.kind === 'delivered'
          ? { kind: 'delivered', delivery: outcome.delivery }
          : { kind: 'deliver-failed', failure: outcome.failure },
      );
    } finally {
      stop.abort();
      await watching;
    }
  }

  /** Aborts a step as soon as nobody wants it any more. */
  async function watch(
    isUnwanted: () => Promise<boolean>,
    stop: AbortController,
    signal: AbortSignal,
  ): Promise<void> {
    const until = AbortSignal.any([signal, stop.signal]);
    while (!until.aborted) {
      await clock.sleep(deps.watchEveryMs, until);
      if (until.aborted) return;
      try {
        if (await isUnwanted()) stop.abort();
      } catch {
        // The store is out of reach: the step goes on, it changes nothing that runs.
      }
    }
  }

  async function activate(id: DeploymentId, term: Term, { signal }: JobContext): Promise<void> {
    const found = await store.get(id);
    if (found === undefined) return;
    const deployment = await beginActivation(found, term);
    if (deployment === undefined) return;
    await deps.faultPoint('before-guard-send');
    const outcome = await steps.activate(deployment, deps.contextFor(id, signal), async (event) => {
      await deps.faultPoint('after-guard-send');
      await tryAdvance(id, event);
    });
    const ended = activationEnd(outcome);
    if (ended === undefined) {
      // The host decides meanwhile. The next pass of the leader enqueues the step again, to find out.
      throw new FleetError({
        code: 'OUTCOME_UNKNOWN',
        disposition: 'transient',
        message: `the outcome of deployment ${id} is not known yet`,
      });
    }
    await tryAdvance(id, ended);
  }

  /**
   * The compare-and-set before the first byte is sent: if it fails, nothing is sent. One that was begun by another
   * worker is gone on with: the host gives its record back for a deployment that it knows, and starts nothing.
   */
  async function beginActivation(found: Versioned, term: Term): Promise<Deployment | undefined> {
    if (isActive(found.deployment)) return found.deployment;
    if (found.term.incarnation !== term.incarnation) return undefined;
    const moved = transition(found.deployment, { kind: 'activate-started' }, clock.now());
    if (moved.kind === 'refused') return undefined;
    await deps.faultPoint('before-compare-and-set');
    const written = await store.compareAndSet(found.term, moved.deployment);
    await deps.faultPoint('after-compare-and-set');
    return written.kind === 'written' ? moved.deployment : undefined;
  }

  /** As `advance`, but what goes on at the host does not wait for a store that is out of reach: probes tell later. */
  async function tryAdvance(id: DeploymentId, event: WorkerEvent): Promise<void> {
    try {
      await advance(id, event);
    } catch (thrown) {
      if (!(thrown instanceof FleetError) || thrown.code !== 'STORE_UNAVAILABLE') throw thrown;
    }
  }

  /** Moves the deployment on, against whoever else writes it. `undefined`: it is gone, or past this event. */
  async function advance(id: DeploymentId, event: WorkerEvent): Promise<Deployment | undefined> {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const found = await store.get(id);
      if (found === undefined) return undefined;
      const moved = transition(found.deployment, event, clock.now());
      if (moved.kind === 'refused') return undefined;
      await deps.faultPoint('before-compare-and-set');
      const written = await store.compareAndSet(found.term, moved.deployment);
      await deps.faultPoint('after-compare-and-set');
      if (written.kind === 'written') return moved.deployment;
      if (written.kind === 'gone') return undefined;
    }
    return undefined;
  }

  return {
    async start() {
      for (const step of ['probe', 'activate', 'deliver', 'evaluate'] as const) {
        await deps.queue.consume(step, deps.concurrency[step], run);
      }
    },
  };
}
