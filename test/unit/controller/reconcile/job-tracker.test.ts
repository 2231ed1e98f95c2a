import { describe, expect, it } from 'vitest';
import { createJobTracker, subject, type Wanted } from '../../../../controller/reconcile/job-tracker.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import { jobId, type Job } from '../../../../shared/platform/ports/job-queue.ts';
import { host } from '../../../support/builders.ts';

const delivery: Wanted = { step: 'deliver', deployment: parseDeploymentId('d000001'), host: host('web1') };

function aTracker() {
  const enqueued: Job[] = [];
  const tracker = createJobTracker({
    queue: {
      async enqueue(job) {
        enqueued.push(job);
      },
    },
    epoch: 3,
    beforeEnqueue: async () => {},
    afterEnqueue: async () => {},
  });
  return { tracker, enqueued, pending: () => new Set(enqueued.map(jobId)) };
}

describe('the job tracker', () => {
  it('enqueues once what is still there, and again what has gone', async () => {
    const { tracker, enqueued, pending } = aTracker();
    await tracker.ensure(delivery, new Set(), 0);
    await tracker.ensure(delivery, pending(), 10);
    expect(enqueued).toHaveLength(1);
    await tracker.ensure(delivery, new Set(), 20);
    expect(enqueued.map((job) => job.n)).toEqual([1, 2]);
  });

  it('does not enqueue a second job when a pass in between had no use for the first', async () => {
    const { tracker, enqueued, pending } = aTracker();
    await tracker.ensure(delivery, new Set(), 0);
    tracker.forget(new Set(), pending());
    await tracker.ensure(delivery, pending(), 10);
    expect(enqueued).toHaveLength(1);
  });

  it('forgets what is neither wanted nor there any more, so that it starts without waiting', async () => {
    const { tracker, enqueued } = aTracker();
    for (const now of [0, 1, 2]) await tracker.ensure(delivery, new Set(), now);
    expect(enqueued).toHaveLength(2);
    tracker.forget(new Set([subject(delivery)]), new Set());
    await tracker.ensure(delivery, new Set(), 3);
    expect(enqueued).toHaveLength(2);
    tracker.forget(new Set(), new Set());
    await tracker.ensure(delivery, new Set(), 4);
    expect(enqueued).toHaveLength(3);
  });
});
