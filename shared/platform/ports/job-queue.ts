import type { DeploymentId, HostName } from '../../domain/names.ts';

export type Step = 'evaluate' | 'deliver' | 'activate' | 'probe';

/**
 * A job carries keys, never what is desired: that is read when it runs. `epoch` is the leadership that asked;
 * a worker drops a job of an older one.
 */
export type Job =
  | { readonly step: 'evaluate'; readonly key: string; readonly epoch: number; readonly n: number }
  | { readonly step: 'probe'; readonly host: HostName; readonly epoch: number; readonly n: number }
  | {
      readonly step: 'deliver' | 'activate';
      readonly deployment: DeploymentId;
      readonly host: HostName;
      readonly epoch: number;
      readonly n: number;
    };

/** `<step>_<subject>_<n>`: `n` rises with every enqueue, since a queue may swallow a repeated id for ever. */
export function jobId(job: Job): string {
  switch (job.step) {
    case 'evaluate':
      return `evaluate_${job.key.replaceAll('.', '-')}_e${job.epoch}_${job.n}`;
    case 'probe':
      return `probe_${job.host}_e${job.epoch}_${job.n}`;
    case 'deliver':
    case 'activate':
      return `${job.step}_${job.deployment}_e${job.epoch}_${job.n}`;
  }
}

/**
 * Transport for jobs: at least once, no order, no mutual exclusion. A job may be lost, run twice, and run while an
 * earlier run of it is still under way. What it does must bear that.
 */
export interface JobQueue {
  /** Queued, delayed by `delayMs`. @throws FleetError STORE_UNAVAILABLE */
  enqueue(job: Job, options?: { readonly delayMs?: number }): Promise<void>;
  /** The ids of all jobs that wait, are delayed or run. @throws FleetError STORE_UNAVAILABLE */
  pending(): Promise<ReadonlySet<string>>;
  /**
   * Gives jobs of a step to the handler, `concurrency` at a time in this process, until `close`. A handler that
   * throws ends the job as failed: the next pass of the leader enqueues it again if it is still wanted.
   */
  consume(
    step: Step,
    concurrency: number,
    handler: (job: Job, context: JobContext) => Promise<void>,
  ): Promise<void>;
  /** Stops taking jobs; waits for running ones up to `deadlineMs`, then aborts their signals. */
  close(deadlineMs: number): Promise<void>;
}

export interface JobContext {
  /**
   * Aborts when the process shuts down, or when the queue has given this run to another worker. An activation is not
   * aborted for the latter: it finishes without the queue.
   */
  readonly signal: AbortSignal;
}
