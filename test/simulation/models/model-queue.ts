import { FleetError } from '../../../shared/domain/errors.ts';
import { jobId, type Job, type JobQueue, type Step } from '../../../shared/platform/ports/job-queue.ts';
import type { Faults } from '../faults.ts';
import type { Choice, Scheduler, SimProcess } from '../scheduler.ts';
import type { RedisServer } from './redis-server.ts';

interface Entry {
  readonly job: Job;
  state: 'waiting' | 'delayed' | 'active';
  /** Who has it now; an earlier run of the same job has no say any more. */
  run: Run | undefined;
}

interface Run {
  readonly id: string;
  readonly entry: Entry;
  readonly process: SimProcess;
  readonly abort: AbortController;
}

interface Consumer {
  readonly process: SimProcess;
  readonly step: Step;
  readonly concurrency: number;
  readonly handler: (job: Job, context: { readonly signal: AbortSignal }) => Promise<void>;
  readonly runs: Set<Run>;
  open: boolean;
}

export interface QueueServer {
  connect(process: SimProcess): JobQueue;
}

/** The queue in the memory of the simulation: at least once, any order, and it forgets with its server. */
export function createQueueServer(deps: {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly redis: RedisServer;
  /** After this long without a sign of its worker, a job is given to another one. */
  readonly stalledMs?: number;
  /** Told of every job at the moment it is queued. */
  readonly enqueued?: (job: Job) => void;
}): QueueServer {
  const { scheduler, faults, redis, stalledMs = 30_000 } = deps;
  let entries = new Map<string, Entry>();
  let seen = new Set<string>();
  const consumers = new Set<Consumer>();

  redis.onLose(() => {
    entries = new Map();
    seen = new Set();
  });

  scheduler.onStop((process) => {
    for (const consumer of consumers) {
      if (consumer.process !== process) continue;
      for (const run of consumer.runs) watchStalled(run);
      if (process.state === 'dead') consumers.delete(consumer);
    }
  });

  function watchStalled(run: Run): void {
    scheduler.after(undefined, stalledMs, `queue finds ${run.id} stalled`, () => {
      if (run.process.state === 'running' || !holds(run)) return;
      if (faults.strikes('job-lost', 0.3)) entries.delete(run.id);
      else run.entry.state = 'waiting';
      // The old run hears of it when its process wakes.
      scheduler.after(run.process, 0, `${run.process.name} hears that ${run.id} was taken away`, () => {
        run.abort.abort();
      });
    });
  }

  function holds(run: Run): boolean {
    return entries.get(run.id) === run.entry && run.entry.state === 'active' && run.entry.run === run;
  }

  function start(consumer: Consumer, id: string, entry: Entry): void {
    entry.state = 'active';
    const run: Run = { id, entry, process: consumer.process, abort: new AbortController() };
    entry.run = run;
    consumer.runs.add(run);
    if (faults.strikes('job-twice', 0.03)) {
      scheduler.after(undefined, 1 + stalledMs * 0.1, `queue gives ${id} once more`, () => {
        if (holds(run)) entry.state = 'waiting';
      });
    }
    void finish(consumer, run);
  }

  async function finish(consumer: Consumer, run: Run): Promise<void> {
    try {
      await consumer.handler(run.entry.job, { signal: run.abort.signal });
    } catch (thrown) {
      scheduler.note(`  ${run.id} failed: ${thrown instanceof Error ? thrown.message : 'thrown'}`);
    }
    await scheduler.pass(consumer.process, `queue done ${run.id}`);
    consumer.runs.delete(run);
    if (!holds(run)) return;
    if (redis.answers()) entries.delete(run.id);
    else {
      // Its end could not be told: once its time is over it is run again.
      scheduler.after(undefined, stalledMs, `queue never heard of the end of ${run.id}`, () => {
        if (holds(run)) run.entry.state = 'waiting';
      });
    }
  }

  /** Calls back for every waiting job and everybody who could take it, until one is taken. */
  function each(offered: (consumer: Consumer, id: string, entry: Entry) => boolean): void {
    if (!redis.answers()) return;
    for (const consumer of consumers) {
      const busy = consumer.runs.size >= consumer.concurrency;
      if (busy || !consumer.open || consumer.process.state !== 'running') continue;
      for (const [id, entry] of entries) {
        if (entry.state !== 'waiting' || entry.job.step !== consumer.step) continue;
        if (offered(consumer, id, entry)) return;
      }
    }
  }

  scheduler.offer({
    count() {
      let count = 0;
      each(() => {
        count += 1;
        return false;
      });
      return count;
    },
    choice(index) {
      let left = index;
      let chosen: Choice | undefined;
      each((consumer, id, entry) => {
        if (left-- > 0) return false;
        chosen = {
          what: `queue gives ${id} to ${consumer.process.name}`,
          act: () => start(consumer, id, entry),
        };
        return true;
      });
      if (chosen === undefined) throw new Error(`no ${index + 1} jobs wait`);
      return chosen;
    },
  });

  function enqueue(job: Job, delayMs: number): void {
    const id = jobId(job);
    if (seen.has(id)) return;
    seen.add(id);
    deps.enqueued?.(job);
    if (faults.strikes('job-lost', 0.005)) return;
    const entry: Entry = { job, state: delayMs > 0 ? 'delayed' : 'waiting', run: undefined };
    entries.set(id, entry);
    if (delayMs > 0) {
      scheduler.after(undefined, delayMs, `queue has ${id} due`, () => {
        if (entry.state === 'delayed') entry.state = 'waiting';
      });
    }
  }

  return {
    connect(process) {
      const own = (): Consumer[] => [...consumers].filter((one) => one.process === process);
      let closed = false;
      function refuseClosed(): void {
        if (!closed) return;
        throw new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'the queue is closed' });
      }
      return {
        async enqueue(job, options) {
          refuseClosed();
          await redis.call(process, `enqueue ${jobId(job)}`, () => enqueue(job, options?.delayMs ?? 0));
        },
        pending: () => redis.call(process, 'queue pending', () => new Set(entries.keys())),
        async consume(step, concurrency, handler) {
          refuseClosed();
          consumers.add({ process, step, concurrency, handler, runs: new Set(), open: true });
        },
        async close(deadlineMs) {
          closed = true;
          for (const consumer of own()) consumer.open = false;
          const deadline = scheduler.now() + deadlineMs;
          const running = (): Run[] => own().flatMap((one) => [...one.runs]);
          while (running().length > 0 && scheduler.now() < deadline) {
            await scheduler.clock(process).sleep(20);
          }
          for (const run of running()) run.abort.abort();
          await scheduler.pass(process, 'queue closed');
          for (const consumer of own()) consumers.delete(consumer);
        },
      };
    },
  };
}
