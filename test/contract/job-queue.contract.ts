import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import {
  type Job,
  type JobContext,
  type JobQueue,
  type Step,
  jobId,
} from '../../shared/platform/ports/job-queue.ts';
import { eventually } from '../support/eventually.ts';
import { web1 } from './samples.ts';

/** A consumer in another process: it takes jobs of a step and never ends them. */
export interface DoomedConsumer {
  /** Ids of the jobs that it was given. */
  took(): readonly string[];
  /** It dies at once, without a word. */
  kill(): Promise<void>;
  /** It stands still, longer than the queue bears. */
  pause(): Promise<void>;
  /** It goes on, and ends what it has taken. */
  resume(): Promise<void>;
}

/** A queue for one test: empty, shared by everyone who opens it. */
export interface QueueRig {
  /** One more process's view of the same queue. */
  open(): Promise<JobQueue>;
  doomed(step: Step): Promise<DoomedConsumer>;
  /** Within this time the job of a dead consumer is given to another one or leaves `pending`. */
  readonly patienceMs: number;
  /** The server is killed. */
  down(): Promise<void>;
  /** It is back with the data that it had. */
  up(): Promise<void>;
  /** It is back without any data. */
  upEmpty(): Promise<void>;
  close(): Promise<void>;
}

let number = 0;

function aJob(step: Step, change: { readonly n?: number; readonly deployment?: string } = {}): Job {
  const n = change.n ?? (number += 1);
  switch (step) {
    case 'evaluate':
      return { step, key: `${'7'.repeat(40)}.0123abcd`, epoch: 3, n };
    case 'probe':
      return { step, host: web1, epoch: 3, n };
    case 'deliver':
    case 'activate':
      return { step, deployment: parseDeploymentId(change.deployment ?? 'd000001'), host: web1, epoch: 3, n };
  }
}

/** A handler that notes what it was given, and lets the test decide when a run ends. */
function aHandler(options: { readonly holds?: boolean } = {}) {
  const given: Job[] = [];
  const signals: AbortSignal[] = [];
  const gates: (() => void)[] = [];
  let open = options.holds !== true;
  let runs = 0;
  let most = 0;
  return {
    given,
    signals,
    most: () => most,
    runs: () => runs,
    ids: () => given.map(jobId),
    letGo() {
      open = true;
      for (const gate of gates) gate();
    },
    async handle(job: Job, context: JobContext): Promise<void> {
      given.push(job);
      signals.push(context.signal);
      runs += 1;
      most = Math.max(most, runs);
      try {
        if (!open) {
          await new Promise<void>((resolve, reject) => {
            gates.push(resolve);
            context.signal.addEventListener('abort', () => reject(new Error('told to stop')), { once: true });
          });
        }
      } finally {
        runs -= 1;
      }
    },
  };
}

/** What every JobQueue does. */
export function jobQueueContract(name: string, make: () => Promise<QueueRig>): void {
  describe(`the job queue: ${name}`, () => {
    let rig: QueueRig;
    let leader: JobQueue;
    let worker: JobQueue;
    const queues: JobQueue[] = [];

    async function open(): Promise<JobQueue> {
      const queue = await rig.open();
      queues.push(queue);
      return queue;
    }
    beforeEach(async () => {
      rig = await make();
      leader = await open();
      worker = await open();
    });
    afterEach(async () => {
      await Promise.all(queues.splice(0).map((queue) => queue.close(0)));
      await rig.close();
    });

    const idle = () =>
      eventually(async () => (await leader.pending()).size === 0, {
        what: 'a queue in which nothing is pending',
        deadlineMs: 10_000,
      });
    const gets = (handler: { ids(): string[] }, job: Job) =>
      eventually(() => handler.ids().includes(jobId(job)), {
        what: `the job ${jobId(job)}`,
        deadlineMs: 10_000,
      });

    describe('jobs', () => {
      test('a job comes to a handler of its step as it was enqueued, and is pending until it has ended', async () => {
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
        await worker.close(10);
        await worker.close(10);
        await expect(worker.enqueue(aJob('probe'))).rejects.toMatchObject({ name: 'FleetError' });
        await expect(worker.consume('probe', 1, async () => {})).rejects.toMatchObject({
          name: 'FleetError',
        });
        expect(await leader.pending()).toEqual(new Set());
      });
    });

    describe('lost workers', () => {
      test.each(['deliver', 'activate', 'evaluate', 'probe'] as const)(
        'the %s job of a worker that was killed is given to another one or is pending no more',
        async (step) => {
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
