import type { DeploymentId, HostName } from '../../domain/names.ts';
import type { Cursor } from './deployment-log.ts';

/** What happened, for people who watch. Not an audit: that is the ledger. */
export interface Happening {
  /** A short constant word or two: `phase`, `observation`, `release` … */
  readonly kind: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly host?: HostName;
  readonly deployment?: DeploymentId;
  /** One sentence. */
  readonly text: string;
}

export type StreamedEvent = Happening & { readonly id: Cursor };

/** The newest happenings of a fleet; older ones fall off its end. */
export interface EventStream {
  /** Written soon, in the order of the calls; dropped while the stream is away. Never throws. */
  append(event: Happening): void;
  /** Resolves when what was told so far can be read, or had to be dropped. Never throws. */
  flush(): Promise<void>;
  /** The first `limit` after the cursor, or the oldest. @throws FleetError INVALID_INPUT; STORE_UNAVAILABLE */
  read(after: Cursor | undefined, limit: number): Promise<readonly StreamedEvent[]>;
  /** The id of the newest one, to follow from here on. @throws FleetError STORE_UNAVAILABLE */
  newest(): Promise<Cursor | undefined>;
  /**
   * Calls back with every event after the cursor, those that are there first, then each as it comes. Returns the
   * closer. @throws FleetError INVALID_INPUT; STORE_UNAVAILABLE
   */
  follow(
    after: Cursor | undefined,
    onEvents: (events: readonly StreamedEvent[]) => void,
  ): Promise<() => Promise<void>>;
  /** Flushes what can still be written, and takes nothing more. */
  close(): Promise<void>;
}
