import type { Job, JobQueue } from '../../shared/platform/ports/job-queue.ts';
import { jobId } from '../../shared/platform/ports/job-queue.ts';

/** What a job is for, without the numbers that make each enqueue a job of its own. */
export type Wanted =
  | Omit<Extract<Job, { readonly step: 'evaluate' }>, 'epoch' | 'n'>
  | Omit<Extract<Job, { readonly step: 'probe' }>, 'epoch' | 'n'>
  | Omit<Extract<Job, { readonly step: 'deliver' | 'activate' }>, 'epoch' | 'n'>;

interface Tracked {
  readonly n: number;
  readonly id: string;
  /** Enqueues in a row of the same thing. */
  readonly repeats: number;
  readonly notBefore: number;
}

export interface JobTracker {
  /**
   * Makes sure that a job for this is in the queue: enqueues one if the last is not among `pending`. A job that keeps
   * vanishing is enqueued at growing intervals. Returns when to look again: a job can
   * disappear with its worker, without any notification.
   */
  ensure(wanted: Wanted, pending: ReadonlySet<string>, now: number): Promise<number>;
  /** The last job for this has not ended yet. */
  queued(wanted: Wanted, pending: ReadonlySet<string>): boolean;
  /** `ensure` would enqueue one now. */
  due(wanted: Wanted, pending: ReadonlySet<string>, now: number): boolean;
  /**
   * Forgets what is not wanted any more: the next time it starts without waiting. A job that has not ended is not
   * forgotten: wanted again (a pass may come between that has to wait for something), it would be there twice.
   */
  forget(keep: ReadonlySet<string>, pending: ReadonlySet<string>): void;
}

/** How often a pass makes sure, in milliseconds, that the jobs which it counts on are still there. */
const lookAgainMs = 2_000;

/** Keeps track of the jobs of one leadership. `n` rises with every enqueue, since a queue may swallow a repeated id. */
export function createJobTracker(deps: {
  readonly queue: Pick<JobQueue, 'enqueue'>;
  readonly epoch: number;
  readonly beforeEnqueue: () => Promise<void>;
  readonly afterEnqueue: () => Promise<void>;
}): JobTracker {
  const tracked = new Map<string, Tracked>();
  let n = 0;
  return {
    async ensure(wanted, pending, now) {
      const key = subject(wanted);
      const last = tracked.get(key);
      if (last !== undefined && pending.has(last.id)) return now + lookAgainMs;
      if (last !== undefined && now < last.notBefore) return last.notBefore;
      n += 1;
      const job: Job = { ...wanted, epoch: deps.epoch, n };
      const repeats = (last?.repeats ?? 0) + 1;
      const wait = repeats < 2 ? 0 : Math.min(250 * 2 ** Math.min(repeats, 8), 30_000);
      // Noted before it is sent: if the answer is lost, the next pass sees by its id whether the job is there.
      tracked.set(key, { n, id: jobId(job), repeats, notBefore: now + wait });
      await deps.beforeEnqueue();
      await deps.queue.enqueue(job);
      await deps.afterEnqueue();
      return now + lookAgainMs;
    },
    queued(wanted, pending) {
      const last = tracked.get(subject(wanted));
      return last !== undefined && pending.has(last.id);
    },
    due(wanted, pending, now) {
      const last = tracked.get(subject(wanted));
      return last === undefined || (!pending.has(last.id) && now >= last.notBefore);
    },
    forget(keep, pending) {
      for (const [key, { id }] of tracked) {
        if (!keep.has(key) && !pending.has(id)) tracked.delete(key);
      }
    },
  };
}

export function subject(wanted: Wanted): string {
  switch (wanted.step) {
    case 'evaluate':
      return `evaluate ${wanted.key}`;
    case 'probe':
      return `probe ${wanted.host}`;
    case 'deliver':
    case 'activate':
      return `${wanted.step} ${wanted.deployment}`;
  }
}
