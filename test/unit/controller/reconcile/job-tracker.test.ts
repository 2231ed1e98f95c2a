import { expect, test } from 'vitest';
import { createJobTracker } from '../../../../controller/reconcile/job-tracker.ts';
import { jobId, type Job } from '../../../../shared/platform/ports/job-queue.ts';
import { host } from '../../../support/builders.ts';

const wanted = { step: 'probe', host: host('web1') } as const;

function tracker() {
  const sent: Job[] = [];
  const jobs = createJobTracker({
    queue: { enqueue: async (job) => void sent.push(job) },
    epoch: 1,
    beforeEnqueue: async () => {},
    afterEnqueue: async () => {},
  });
  return { jobs, sent, ids: () => new Set(sent.map(jobId)) };
}

test('a job that is in the queue is looked at again soon, since its worker may die without a word', async () => {
  const { jobs, sent, ids } = tracker();
  expect(await jobs.ensure(wanted, new Set(), 1_000)).toBe(3_000);
  expect(await jobs.ensure(wanted, ids(), 3_000)).toBe(5_000);
  expect(sent).toHaveLength(1);
});

test('a job that has vanished is enqueued again under a new id, at growing intervals', async () => {
  const { jobs, sent, ids } = tracker();
  await jobs.ensure(wanted, new Set(), 0);
  await jobs.ensure(wanted, new Set(), 0);
  expect(sent).toHaveLength(2);
  expect(ids().size).toBe(2);
  // Twice in a row: the third one has to wait.
  const due = await jobs.ensure(wanted, new Set(), 1);
  expect(sent).toHaveLength(2);
  expect(due).toBeGreaterThan(1);
  await jobs.ensure(wanted, new Set(), due);
  expect(sent).toHaveLength(3);
});
