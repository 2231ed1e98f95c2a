import { describe, expect, test } from 'vitest';
import { jobId } from '../../shared/platform/ports/job-queue.ts';
import { eventually } from '../support/eventually.ts';
import { type QueueRig, aHandler, aJob, gets, queueBench } from './job-queue-rig.ts';

/** What every JobQueue does when workers die or stand still, and when its server is lost. */
export function jobQueueLossContract(name: string, make: () => Promise<QueueRig>): void {
  describe(`the job queue: ${name}: losses`, () => {
    const bench = queueBench(make);

    describe('lost workers', () => {
      test.each(['deliver', 'activate', 'evaluate', 'probe'] as const)(
        'the %s job of a worker that was killed is given to another one or is pending no more',
        async (step) => {
          const { rig, leader, worker, idle } = bench();
          const doomed = await rig.doomed(step);
          const job = aJob(step);
          await leader.enqueue(job);
          await eventually(() => doomed.took().includes(jobId(job)), {
            what: 'a doomed worker with the job',
            deadlineMs: 10_000,
          });
          await doomed.kill();
          const handler = aHandler();
          await worker.consume(step, 1, handler.handle);
          await eventually(async () => !(await leader.pending()).has(jobId(job)), {
            what: 'the end of a job that was given to a dead worker',
            deadlineMs: rig.patienceMs,
          });
          const again = aJob(step);
          await leader.enqueue(again);
          await gets(handler, again);
          await idle();
          expect(handler.ids().filter((id) => id === jobId(again))).toHaveLength(1);
        },
      );

      test('a worker that stood still and wakes up late, its job run by another one, breaks nothing', async () => {
        const { rig, leader, worker } = bench();
        const doomed = await rig.doomed('deliver');
        const job = aJob('deliver');
        await leader.enqueue(job);
        await eventually(() => doomed.took().includes(jobId(job)), {
          what: 'a doomed worker with the job',
          deadlineMs: 10_000,
        });
        await doomed.pause();
        const handler = aHandler();
        await worker.consume('deliver', 1, handler.handle);
        await eventually(async () => !(await leader.pending()).has(jobId(job)), {
          what: 'the end of a job that was given to a paused worker',
          deadlineMs: rig.patienceMs,
        });
        await doomed.resume();
        const jobs = Array.from({ length: 10 }, () => aJob('deliver'));
        for (const one of jobs) await leader.enqueue(one);
        await eventually(
          () => jobs.every((one) => handler.ids().includes(jobId(one)) || doomed.took().includes(jobId(one))),
          { what: 'every later job', deadlineMs: 10_000 },
        );
        // In one of the two, or in both: at least once.
        expect(new Set([...handler.ids(), ...doomed.took()])).toEqual(new Set([job, ...jobs].map(jobId)));
        await doomed.kill();
      });
    });

    describe('the loss of the server', () => {
      const unavailable = { name: 'FleetError', code: 'STORE_UNAVAILABLE', disposition: 'transient' };

      test('while it is down enqueue and pending fail soon, and both work again when it is back', async () => {
        const { rig, leader, worker, idle } = bench();
        await leader.enqueue(aJob('probe'));
        await rig.down();
        const began = performance.now();
        await expect(leader.enqueue(aJob('probe'))).rejects.toMatchObject(unavailable);
        await expect(leader.pending()).rejects.toMatchObject(unavailable);
        // And one that has never talked to it.
        await expect(worker.enqueue(aJob('deliver'))).rejects.toMatchObject(unavailable);
        expect(performance.now() - began).toBeLessThan(3_000);
        await rig.upEmpty();
        await idle();
        const job = aJob('deliver');
        await eventually(() => worker.enqueue(job).then(() => true), {
          what: 'a queue that takes jobs again',
          deadlineMs: 10_000,
        });
        expect(await leader.pending()).toEqual(new Set([jobId(job)]));
      });

      test('what waits survives a restart with data, what runs goes on, and consumers come back', async () => {
        const { rig, leader, worker } = bench();
        const handler = aHandler({ holds: true });
        await worker.consume('activate', 1, handler.handle);
        const runs = aJob('activate');
        const waits = aJob('activate');
        await leader.enqueue(runs);
        await gets(handler, runs);
        await leader.enqueue(waits);
        await rig.down();
        expect(handler.signals[0]?.aborted).toBe(false);
        await rig.up();
        expect(handler.signals[0]?.aborted).toBe(false);
        handler.letGo();
        await gets(handler, waits);
        await eventually(async () => (await leader.pending()).size === 0, {
          what: 'a queue in which nothing is pending',
          deadlineMs: rig.patienceMs,
        });
      });

      test('closing does not wait for a server that is down', async () => {
        const { rig, leader, worker, idle } = bench();
        const handler = aHandler({ holds: true });
        await worker.consume('deliver', 2, handler.handle);
        await worker.consume('probe', 2, handler.handle);
        const job = aJob('deliver');
        await leader.enqueue(job);
        await gets(handler, job);
        await rig.down();
        const began = performance.now();
        await worker.close(100);
        expect(performance.now() - began).toBeLessThan(4_000);
        expect(handler.signals[0]?.aborted).toBe(true);
        await rig.upEmpty();
        await idle();
      });

      test('an emptied server knows no jobs; an activation under way is not disturbed, and new jobs run', async () => {
        const { rig, leader, worker, idle } = bench();
        const handler = aHandler({ holds: true });
        await worker.consume('activate', 2, handler.handle);
        const runs = aJob('activate');
        await leader.enqueue(runs);
        await gets(handler, runs);
        await leader.enqueue(aJob('activate'), { delayMs: 60_000 });
        await rig.down();
        await rig.upEmpty();
        await idle();
        const next = aJob('activate');
        await leader.enqueue(next);
        await gets(handler, next);
        expect(handler.signals[0]?.aborted).toBe(false);
        handler.letGo();
        await idle();
        const last = aJob('activate');
        await leader.enqueue(last);
        await gets(handler, last);
        await idle();
      });
    });
  });
}
