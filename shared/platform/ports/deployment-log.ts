import type { DeploymentId } from '../../domain/names.ts';
import type { Progress } from './steps.ts';

/** Where in a log an entry is: ids of later entries come later. Opaque to everyone but the log itself. */
export type Cursor = string;

export interface LogEntry {
  readonly id: Cursor;
  /** Milliseconds since the epoch, by the clock of who wrote it. */
  readonly at: number;
  readonly line: string;
}

export interface LogPage {
  readonly entries: readonly LogEntry[];
  /** The last progress that was told, and when. */
  readonly progress: (Progress & { readonly at: number }) | undefined;
}

/**
 * What people read while a deployment goes on. A convenience with bounds: at most 10,000 lines of a deployment are
 * kept, each cut at 4 KiB, for 7 days. While the log is away a few thousand lines are kept back and the rest are
 * dropped; a line that was on its way when it went may be there twice. Nothing waits for the log.
 */
export interface DeploymentLog {
  /** Written soon, in the order of the calls. Never throws. */
  append(deployment: DeploymentId, line: string): void;
  /** Replaces what was told before. Never throws. */
  progress(deployment: DeploymentId, progress: Progress): void;
  /** Resolves when what was told so far can be read, or had to be dropped. Never throws. */
  flush(): Promise<void>;
  /**
   * The first `limit` entries that come after the cursor, or from the beginning.
   *
   * @throws FleetError INVALID_INPUT for a cursor that is none; STORE_UNAVAILABLE
   */
  read(deployment: DeploymentId, after: Cursor | undefined, limit: number): Promise<LogPage>;
  /**
   * Calls back with every entry after the cursor, those that are there first, then each as it comes, and with each
   * progress. Pages are never empty of news. Returns the closer.
   *
   * @throws FleetError INVALID_INPUT for a cursor that is none; STORE_UNAVAILABLE
   */
  follow(
    deployment: DeploymentId,
    after: Cursor | undefined,
    onPage: (page: LogPage) => void,
  ): Promise<() => Promise<void>>;
  /** Flushes what can still be written, and takes nothing more. */
  close(): Promise<void>;
}
