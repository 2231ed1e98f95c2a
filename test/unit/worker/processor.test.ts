import { describe, expect, it } from 'vitest';

import type { HostContact } from '../../../shared/domain/contact.ts';
import type { EvaluationOutcome } from '../../../shared/domain/observation.ts';
import type { DeploymentStore } from '../../../shared/platform/ports/deployment-store.ts';
import { noFaults } from '../../../shared/platform/ports/faults.ts';
import type { Job, JobContext, JobQueue, Step } from '../../../shared/platform/ports/job-queue.ts';
import type { Steps } from '../../../shared/platform/ports/steps.ts';
import { createSystemClock } from '../../../shared/platform/system-clock.ts';
import { createProcessor, type ProcessorDeps } from '../../../worker/processor.ts';
import { aDeployment, aFailure, aRelease, host, incarnation } from '../../support/builders.ts';

const key = 'tree.options';
const release = aRelease('A', { web1: 'A' });
const term = { epoch: 1, incarnation };

function never(): never {
  throw new Error('not expected here');
}

/** Runs one job; what was written down of it. */
async function written(
  job: Job,
  signal: AbortSignal,
  steps: Partial<Steps>,
  change: { readonly report?: ProcessorDeps['report']; readonly store?: Partial<DeploymentStore> } = {},
): Promise<readonly unknown[]> {
  const done: unknown[] = [];
  const store: DeploymentStore = {
    term: async () => term,
    begin: never,
    create: never,
    get: never,
    list: never,
    compareAndSet: never,
    remove: never,
    setTargets: never,
    target: async (name) => ({
      term,
      target: {
        host: name,
        askedAt: 0,
        connections: [],
        ask: [],
        acknowledged: [],
        fence: undefined,
        adopt: undefined,
        checks: [],
        retain: undefined,
        tidy: undefined,
        expected: undefined,
      },
    }),
    async putContact(_term, contact) {
      done.push(contact);
      return { kind: 'written' };
    },
    contacts: never,
    askEvaluation: never,
    evaluation: async () => ({
      request: { key, tree: release.tree, folder: '.', attribute: 'nixosConfigurations', hosts: 'all' },
      outcome: undefined,
    }),
    evaluations: never,
    async putEvaluation(_key, outcome) {
      done.push(outcome);
      return { kind: 'written' };
    },
    removeEvaluation: never,
    onChange: never,
    ...change.store,
  };
  const handlers = new Map<Step, (job: Job, context: JobContext) => Promise<void>>();
  const queue: JobQueue = {
    enqueue: never,
    pending: never,
    async consume(step, _concurrency, handler) {
      handlers.set(step, handler);
    },
    close: never,
  };
  await createProcessor({
    report: change.report ?? (() => {}),
    clock: createSystemClock(),
    queue,
    store,
    steps: { evaluate: never, deliver: never, activate: never, probe: never, ...steps },
    faultPoint: noFaults,
    contextFor: (_subject, within) => ({ signal: within, log() {}, progress() {} }),
    concurrency: { evaluate: 1, deliver: 1, activate: 1, probe: 1 },
    watchEveryMs: 5,
  }).start();
  await handlers.get(job.step)?.(job, { signal });
  return done;
}

const evaluation: Job = { step: 'evaluate', key, epoch: 1, n: 1 };
const probe: Job = { step: 'probe', host: host('web1'), epoch: 1, n: 1 };
const failed: EvaluationOutcome = { kind: 'failed', failure: aFailure(), durationMs: 1 };
const complete: EvaluationOutcome = { kind: 'complete', release, durationMs: 1 };
const unreachable: HostContact = {
  kind: 'unreachable',
  host: host('web1'),
  incarnation,
  askedAt: 0,
  at: 1,
  since: 1,
  attempts: 1,
  failure: aFailure({ code: 'CANCELLED' }),
};

describe('the processor', () => {
  const live = new AbortController().signal;
  const gone = AbortSignal.abort();

  it('writes down how an evaluation and a probe ended', async () => {
    expect(await written(evaluation, live, { evaluate: async () => failed })).toEqual([failed]);
    expect(await written(probe, live, { probe: async () => unreachable })).toEqual([unreachable]);
  });

  it('writes nothing down of what failed because this run was given up', async () => {
    expect(await written(evaluation, gone, { evaluate: async () => failed })).toEqual([]);
    expect(await written(probe, gone, { probe: async () => unreachable })).toEqual([]);
  });

  it('keeps what was found out all the same', async () => {
    expect(await written(evaluation, gone, { evaluate: async () => complete })).toEqual([complete]);
  });

  it('tells operators of an evaluation that failed for a passing reason, and not of a wrong configuration', async () => {
    const told: unknown[] = [];
    const report = (error: unknown): void => void told.push(error);
    const passing: EvaluationOutcome = {
      ...failed,
      failure: aFailure({ code: 'EVALUATION_LIMIT', disposition: 'transient' }),
    };
    await written(evaluation, live, { evaluate: async () => failed }, { report });
    expect(told).toEqual([]);
    await written(evaluation, live, { evaluate: async () => passing }, { report });
    expect(told).toMatchObject([{ code: 'EVALUATION_LIMIT' }]);
  });

  it('goes on building while the store has no life, and stops once nobody wants it in the new one', async () => {
    const deployment = aDeployment({ phase: 'pending' });
    const deliver: Job = {
      step: 'deliver',
      deployment: deployment.id,
      host: deployment.host,
      epoch: 1,
      n: 1,
    };
    let gets = 0;
    let terms = 0;
    let lifelessLooks = 0;
    const store: Partial<DeploymentStore> = {
      // The job begins in one life; then there is none for some looks; then one that knows nothing of it.
      async get() {
        gets += 1;
        return gets === 1 ? { deployment, term } : undefined;
      },
      async term() {
        terms += 1;
        if (terms === 1 || terms > 4) return term;
        lifelessLooks += 1;
        return undefined;
      },
      compareAndSet: async () => ({ kind: 'written' }),
    };
    let stopped = false;
    const until = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await written(
      deliver,
      live,
      {
        async deliver(_deployment, { signal }) {
          await until(signal);
          stopped = true;
          return { kind: 'failed', failure: aFailure() };
        },
      },
      { store },
    );
    expect(stopped).toBe(true);
    expect(lifelessLooks).toBe(3);
  });

  it('drops the job of an earlier leadership', async () => {
    expect(await written({ ...evaluation, epoch: 0 }, live, { evaluate: async () => complete })).toEqual([]);
  });
});
