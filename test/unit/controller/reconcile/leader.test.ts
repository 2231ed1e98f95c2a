import { describe, expect, it } from 'vitest';
import { createController } from '../../../../controller/reconcile/leader.ts';
import { FleetError } from '../../../../shared/domain/errors.ts';
import type { Term } from '../../../../shared/platform/ports/deployment-store.ts';
import { noFaults } from '../../../../shared/platform/ports/faults.ts';
import { aFailure } from '../../../support/builders.ts';
import { eventually } from '../../../support/eventually.ts';
import { patience } from '../../../support/rollout-stage.ts';

function never(): never {
  throw new Error('nobody asks for this here');
}

/** A controller that leads at once, and whose passes fail as long as the queue does not answer. */
function aController(queue: { answers: boolean }) {
  let term: Term | undefined;
  const written = async () => ({ kind: 'written' }) as const;
  return createController({
    clock: {
      now: () => Date.now(),
      sleep: (ms, signal) =>
        new Promise((wake) => {
          setTimeout(wake, Math.min(ms, 5));
          signal?.addEventListener('abort', () => wake(), { once: true });
        }),
    },
    ids: { deployment: never, unique: () => 'unique' },
    queue: {
      enqueue: never,
      consume: never,
      close: never,
      async pending() {
        if (queue.answers) return new Set();
        throw new FleetError({
          code: 'STORE_UNAVAILABLE',
          disposition: 'transient',
          message: 'Redis is away',
        });
      },
    },
    store: {
      term: async () => term,
      async begin(next) {
        term = next;
        return true;
      },
      ...{ create: never, get: never, compareAndSet: never, remove: never, target: never, putContact: never },
      ...{ askEvaluation: never, evaluation: never, putEvaluation: never, removeEvaluation: never },
      list: async () => [],
      contacts: async () => [],
      evaluations: async () => [],
      setTargets: written,
      onChange: async () => async () => {},
    },
    lease: { hold: async () => true, holder: never, release: async () => {} },
    ledger: { load: async () => [], append: async () => ({ kind: 'appended', head: 'h' }) },
    source: {
      look: async () => ({ kind: 'failing', failure: aFailure({ code: 'SOURCE_UNREACHABLE' }) }),
      manifest: never,
      pack: never,
    },
    faultPoint: noFaults,
    jitter: () => 0,
    settings: {
      name: 'one',
      id: 'one',
      leaseMs: 60_000,
      pollEveryMs: 60_000,
      onRewrite: 'follow',
      patience,
    },
    onEvent: () => {},
  });
}

describe('a leader', () => {
  it('knows why its newest pass failed, until one ends', async () => {
    const queue = { answers: false };
    const controller = aController(queue);
    const end = new AbortController();
    const running = controller.run(end.signal);
    try {
      await eventually(() => controller.reign()?.passFailure !== undefined, {
        what: 'a pass to fail',
        deadlineMs: 5_000,
      });
      expect(controller.reign()).toMatchObject({
        last: undefined,
        passFailure: { code: 'STORE_UNAVAILABLE', message: 'Redis is away' },
      });
      queue.answers = true;
      await eventually(() => controller.reign()?.last !== undefined, {
        what: 'a pass to end',
        deadlineMs: 5_000,
      });
      expect(controller.reign()?.passFailure).toBeUndefined();
    } finally {
      end.abort();
      await running;
    }
  });
});
