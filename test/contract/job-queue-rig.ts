import { afterEach, beforeEach } from 'vitest';
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

export function aJob(step: Step, change: { readonly n?: number; readonly deployment?: string } = {}): Job {
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
export function aHandler(options: { readonly holds?: boolean } = {}) {
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

/** What a suite has in its hands: one queue as a leader and as a worker see it, opened anew for each test. */
export interface QueueBench {
  readonly rig: QueueRig;
  readonly leader: JobQueue;
  readonly worker: JobQueue;
  /** One more view, closed with the others. */
  open(): Promise<JobQueue>;
  /** Waits until nothing is pending. */
  idle(): Promise<void>;
}

/** Sets up and clears a bench around each test of the suite that calls it; the function gives the present one. */
export function queueBench(make: () => Promise<QueueRig>): () => QueueBench {
  let bench: QueueBench | undefined;
  const queues: JobQueue[] = [];
  const present = () => {
    if (bench === undefined) throw new Error('there is a bench only inside a test');
    return bench;
  };
  beforeEach(async () => {
    const rig = await make();
    const open = async () => {
      const queue = await rig.open();
      queues.push(queue);
      return queue;
    };
    const leader = await open();
    const worker = await open();
    bench = {
      rig,
      leader,
      worker,
      open,
      async idle() {
        await eventually(async () => (await leader.pending()).size === 0, {
          what: 'a queue in which nothing is pending',
          deadlineMs: 10_000,
        });
      },
    };
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((queue) => queue.close(0)));
    await bench?.rig.close();
    bench = undefined;
  });
  return present;
}

/** Waits until the handler was given the job. */
export async function gets(handler: { ids(): string[] }, job: Job): Promise<void> {
  await eventually(() => handler.ids().includes(jobId(job)), {
    what: `the job ${jobId(job)}`,
    deadlineMs: 10_000,
  });
}
