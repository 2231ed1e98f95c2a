import { describe, expect, test } from 'vitest';
import { jobId } from '../../shared/platform/ports/job-queue.ts';
import { eventually } from '../support/eventually.ts';
import { jobQueueLossContract } from './job-queue-loss.contract.ts';
import { type QueueRig, aHandler, aJob, gets, queueBench } from './job-queue-rig.ts';

/** What every JobQueue does. */
export function jobQueueContract(name: string, make: () => Promise<QueueRig>): void {
  describe(`the job queue: ${name}`, () => {
    const bench = queueBench(make);

    describe('jobs', () => {
      test('a job comes to a handler of its step as it was enqueued, and is pending until it has ended', async () => {
        const { leader, worker, idle } = bench();
        for (const step of ['evaluate', 'deliver', 'activate', 'probe'] as const) {
          const handler = aHandler({ holds: true });
          await worker.consume(step, 1, handler.handle);
          const job = aJob(step);
          await leader.enqueue(job);
          expect(await leader.pending()).toContain(jobId(job));
          await gets(handler, job);
          expect(handler.given[0]).toEqual(job);
          expect(await leader.pending()).toContain(jobId(job));
          handler.letGo();
          await idle();
        }
      });

      test('a job waits until someone consumes its step', async () => {
        const { leader, worker, idle } = bench();
        const probes = aHandler();
        await worker.consume('probe', 1, probes.handle);
        const job = aJob('deliver');
        await leader.enqueue(job);
        await leader.enqueue(aJob('probe'));
        await eventually(() => probes.given.length === 1, { what: 'the probe', deadlineMs: 10_000 });
        expect(await leader.pending()).toEqual(new Set([jobId(job)]));
        const deliveries = aHandler();
        await worker.consume('deliver', 1, deliveries.handle);
        await gets(deliveries, job);
        await idle();
      });

      test('a delayed job is pending at once and runs when its time has come', async () => {
        const { leader, worker, idle } = bench();
        const handler = aHandler();
        await worker.consume('activate', 1, handler.handle);
        const job = aJob('activate');
        const began = performance.now();
        await leader.enqueue(job, { delayMs: 400 });
        expect(await leader.pending()).toEqual(new Set([jobId(job)]));
        await gets(handler, job);
        expect(performance.now() - began).toBeGreaterThan(380);
        await idle();
      });

      test('a new job of the same subject does not replace a delayed one, and is not swallowed by it', async () => {
        const { leader, worker, idle } = bench();
        const handler = aHandler();
        await worker.consume('deliver', 1, handler.handle);
        const later = aJob('deliver');
        const now = aJob('deliver');
        await leader.enqueue(later, { delayMs: 500 });
        await leader.enqueue(now);
        expect(await leader.pending()).toContain(jobId(later));
        await gets(handler, now);
        await gets(handler, later);
        await idle();
      });

      test('steps of one subject, waiting and running, do not get into each other’s way', async () => {
        const { leader, worker, idle } = bench();
        const deliveries = aHandler({ holds: true });
        await worker.consume('deliver', 1, deliveries.handle);
        const jobs = [aJob('deliver'), aJob('deliver'), aJob('activate'), aJob('activate')];
        for (const job of jobs) await leader.enqueue(job);
        await eventually(() => deliveries.runs() === 1, { what: 'one that runs', deadlineMs: 10_000 });
        expect(await leader.pending()).toEqual(new Set(jobs.map(jobId)));
        const activations = aHandler();
        await worker.consume('activate', 1, activations.handle);
        deliveries.letGo();
        await idle();
        expect(new Set([...deliveries.ids(), ...activations.ids()])).toEqual(new Set(jobs.map(jobId)));
      });

      test('a repeated id is pending once, and does not keep the next number from running', async () => {
        const { leader, worker, idle } = bench();
        const job = aJob('deliver');
        await leader.enqueue(job);
        await leader.enqueue(job);
        await leader.enqueue(job, { delayMs: 100 });
        expect(await leader.pending()).toEqual(new Set([jobId(job)]));
        const handler = aHandler();
        await worker.consume('deliver', 1, handler.handle);
        await gets(handler, job);
        await idle();
        // Whether this one runs is the queue's affair: it may know the id for ever.
        await leader.enqueue(job);
        const next = aJob('deliver');
        await leader.enqueue(next);
        await gets(handler, next);
        await idle();
      });

      test('a handler that throws ends the job, and the next one runs', async () => {
        const { leader, worker, idle } = bench();
        const given: string[] = [];
        await worker.consume('deliver', 1, async (job) => {
          given.push(jobId(job));
          if (given.length === 1) throw new Error('broken');
        });
        const broken = aJob('deliver');
        await leader.enqueue(broken);
        await idle();
        const next = aJob('deliver');
        await leader.enqueue(next);
        await eventually(() => given.includes(jobId(next)), { what: 'the next job', deadlineMs: 10_000 });
        await idle();
        expect(given).toEqual([jobId(broken), jobId(next)]);
      });

      test('no more than `concurrency` jobs of a step run at a time in a process', async () => {
        const { leader, worker, idle } = bench();
        const handler = aHandler({ holds: true });
        await worker.consume('probe', 3, handler.handle);
        for (let i = 0; i < 9; i += 1) await leader.enqueue(aJob('probe'));
        await eventually(() => handler.runs() === 3, { what: 'three runs', deadlineMs: 10_000 });
        handler.letGo();
        await idle();
        expect(handler.most()).toBeLessThanOrEqual(3);
        expect(handler.given).toHaveLength(9);
      });

      test('every one of many jobs runs, whichever process takes it', async () => {
        const { leader, worker, open, idle } = bench();
        const second = await open();
        const handler = aHandler();
        await worker.consume('probe', 8, handler.handle);
        await second.consume('probe', 8, handler.handle);
        const jobs = Array.from({ length: 300 }, () => aJob('probe'));
        await Promise.all(jobs.map((job) => leader.enqueue(job)));
        await idle();
        expect(new Set(handler.ids())).toEqual(new Set(jobs.map(jobId)));
      });
    });

    describe('closing', () => {
      test('waits for what runs, takes nothing new', async () => {
        const { leader, worker } = bench();
        const handler = aHandler({ holds: true });
        await worker.consume('deliver', 1, handler.handle);
        const first = aJob('deliver');
        const second = aJob('deliver');
        await leader.enqueue(first);
        await gets(handler, first);
        await leader.enqueue(second);
        let closed = false;
        const closing = worker.close(10_000).then(() => {
          closed = true;
        });
        expect(closed).toBe(false);
        handler.letGo();
        await closing;
        expect(handler.signals[0]?.aborted).toBe(false);
        expect(handler.ids()).toEqual([jobId(first)]);
        expect(await leader.pending()).toEqual(new Set([jobId(second)]));
      });

      test('after the deadline the signals of what still runs are aborted', async () => {
        const { leader, worker } = bench();
        const handler = aHandler({ holds: true });
        await worker.consume('activate', 2, handler.handle);
        await leader.enqueue(aJob('activate'));
        await leader.enqueue(aJob('activate'));
        await eventually(() => handler.runs() === 2, { what: 'two runs', deadlineMs: 10_000 });
        await worker.close(50);
        expect(handler.signals.map((signal) => signal.aborted)).toEqual([true, true]);
        expect(handler.runs()).toBe(0);
      });

      test('twice is once, and a closed one takes no jobs', async () => {
        const { leader, worker } = bench();
        await worker.close(10);
        await worker.close(10);
        await expect(worker.enqueue(aJob('probe'))).rejects.toMatchObject({ name: 'FleetError' });
        await expect(worker.consume('probe', 1, async () => {})).rejects.toMatchObject({
          name: 'FleetError',
        });
        expect(await leader.pending()).toEqual(new Set());
      });
    });
  });

  jobQueueLossContract(name, make);
}
