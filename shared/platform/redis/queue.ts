import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { Job as JobSchema } from '../../contracts/jobs.ts';
import { FleetError } from '../../domain/errors.ts';
import type { Logger } from '../logger.ts';
import { type Job, type JobContext, type JobQueue, type Step, jobId } from '../ports/job-queue.ts';
import type { RedisConnections } from './client.ts';
import { storeUnavailable, talking } from './errors.ts';
import { keysOf } from './keys.ts';

export interface BullQueueDeps {
  readonly redis: RedisConnections;
  readonly fleet: string;
  readonly logger: Logger;
  /** A worker that does not renew its lock on a job for so long has lost it. */
  readonly lockMs?: number;
  /** How often lost locks are looked for. A dead worker's job is dealt with after `lockMs` and twice this. */
  readonly stalledEveryMs?: number;
}

const steps = ['evaluate', 'deliver', 'activate', 'probe'] as const satisfies readonly Step[];

/**
 * How often a job whose worker was lost is given to another one before it counts as failed and leaves `pending`.
 * An activation never is: the leader looks at the host's own record first, and enqueues it again if it is wanted.
 */
const redeliveries: Readonly<Record<Step, number>> = { evaluate: 1, deliver: 1, activate: 0, probe: 1 };

/**
 * A lost lock ends a run early, since another worker has the job then. Not an activation: Redis that was lost or
 * emptied looks the same from here, and an activation is finished without it.
 */
const endsWithItsLock: Readonly<Record<Step, boolean>> = {
  evaluate: true,
  deliver: true,
  activate: false,
  probe: true,
};

/** After the deadline of `close`, how long runs have to heed their signals. */
const graceMs = 5_000;

type Handler = (job: Job, context: JobContext) => Promise<void>;

/** Jobs in BullMQ: one queue for each step, an id of its own for each enqueue, no attempts and no deduplication. */
export function createBullQueue(deps: BullQueueDeps): JobQueue {
  const { redis, logger } = deps;
  const prefix = keysOf(deps.fleet)('jobs');
  const queues = new Map<Step, Promise<Queue>>();
  const workers: Worker[] = [];
  const running = new Map<AbortController, Promise<void>>();
  let patient: Redis | undefined;
  let closed = false;

  /** Made when Redis is there: a queue object whose first contact failed would stay broken for ever. */
  function queueOf(step: Step): Promise<Queue> {
    if (closed || redis.commands.status !== 'ready') {
      return Promise.reject(storeUnavailable(new Error(`the connection is ${redis.commands.status}`)));
    }
    const known = queues.get(step);
    if (known !== undefined) return known;
    const made = openQueue(step);
    queues.set(step, made);
    made.catch(() => queues.delete(step));
    return made;
  }

  async function openQueue(step: Step): Promise<Queue> {
    const queue = new Queue(step, {
      connection: redis.commands,
      prefix,
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    });
    // What it says here is thrown by the call that it belongs to as well.
    queue.on('error', () => {});
    await queue.waitUntilReady();
    return queue;
  }

  async function run(
    handler: Handler,
    step: Step,
    data: unknown,
    controller: AbortController,
  ): Promise<void> {
    const run = Promise.resolve().then(() => handler(JobSchema.parse(data), { signal: controller.signal }));
    running.set(controller, run);
    try {
      await run;
    } catch (err) {
      logger.warn({ err, step }, 'a job ended with an error');
      // Only this text goes to Redis: errors may quote what must not lie there.
      throw new Error('the job ended with an error', { cause: err });
    } finally {
      running.delete(controller);
    }
  }

  /** Until every run is over, and Redis knows it, if it is there to be told. */
  async function settled(ended: Promise<unknown>): Promise<void> {
    do await Promise.allSettled(running.values());
    while (!(await within(ended, 1_000)) && running.size > 0);
  }

  return {
    async enqueue(job, options = {}) {
      await talking(async () => {
        const queue = await queueOf(job.step);
        await queue.add(job.step, job, { jobId: jobId(job), delay: options.delayMs ?? 0 });
      });
    },

    async pending() {
      const ids = await talking(() =>
        Promise.all(
          steps.map(async (step) =>
            (await queueOf(step)).getRanges(['wait', 'delayed', 'active', 'prioritized'], 0, -1),
          ),
        ),
      );
      return new Set(ids.flat());
    },

    async consume(step, concurrency, handler) {
      if (closed) throw alreadyClosed();
      await redis.ready(30_000);
      patient ??= redis.patient();
      const byId = new Map<string, AbortController>();
      const worker = new Worker(
        step,
        async (job) => {
          const controller = new AbortController();
          const id = job.id ?? '';
          byId.set(id, controller);
          try {
            await run(handler, step, job.data, controller);
          } finally {
            if (byId.get(id) === controller) byId.delete(id);
          }
        },
        {
          connection: patient,
          prefix,
          concurrency,
          lockDuration: deps.lockMs ?? 60_000,
          stalledInterval: deps.stalledEveryMs ?? 15_000,
          maxStalledCount: redeliveries[step],
          // How long it waits after the connection was lost before it asks for jobs again.
          runRetryDelay: 1_000,
        },
      );
      workers.push(worker);
      worker.on('error', (err) => {
        // The loss of the connection itself is told once, by the connection.
        if (redis.commands.status === 'ready') logger.warn({ err, step }, 'the queue reports an error');
      });
      worker.on('lockRenewalFailed', (ids: string[]) => {
        logger.warn({ step, jobs: ids }, 'the locks of running jobs are lost');
        if (!endsWithItsLock[step]) return;
        for (const id of ids) byId.get(id)?.abort(lostLock());
      });
      await worker.waitUntilReady();
    },

    async close(deadlineMs) {
      if (closed) return;
      closed = true;
      const ended = Promise.all(workers.map((worker) => worker.close().catch(() => {})));
      const over = settled(ended);
      if (!(await within(over, deadlineMs))) {
        for (const controller of running.keys()) controller.abort(shutdown());
        if (!(await within(over, graceMs))) {
          logger.error({ runs: running.size }, 'jobs do not heed the shutdown');
        }
      }
      patient?.disconnect();
      await Promise.allSettled([...queues.values()].map(async (queue) => (await queue).close()));
    },
  };
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const inTime = await Promise.race([promise.then(() => true as const), late]);
  clearTimeout(timer);
  return inTime;
}

function shutdown(): FleetError {
  return new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'the worker shuts down' });
}

function lostLock(): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: 'the queue has given this job to another worker',
  });
}

function alreadyClosed(): FleetError {
  return new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'the queue is closed' });
}
