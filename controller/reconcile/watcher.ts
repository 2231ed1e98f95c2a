import { FleetError, failureOf, type Failure } from '../../shared/domain/errors.ts';
import type { Revision } from '../../shared/domain/names.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { Look, Source } from '../../shared/platform/ports/source.ts';
import type { ReadManifest } from './desire.ts';
import { linkedAbort } from './linked-abort.ts';

export interface WatcherDeps {
  readonly clock: Clock;
  readonly source: Source;
  /** Uniform in [0, 1): spreads the polls of many controllers. */
  readonly jitter: () => number;
  readonly pollEveryMs: number;
  /** What happens when the ref was rewritten (a force push). */
  readonly onRewrite: 'follow' | 'hold';
}

/** How the source is doing, for people. `at`: when the last look that ended was begun. */
export type SourceState =
  | { readonly kind: 'unseen' }
  | { readonly kind: 'ok'; readonly at: number; readonly revision: Revision }
  | {
      readonly kind: 'failing';
      readonly at: number;
      readonly since: number;
      readonly lastSuccessAt: number | undefined;
      readonly failure: Failure;
    };

/** The newest thing that a look found, with its manifest. */
export interface Sighting {
  readonly look: Extract<Look, { readonly kind: 'seen' }>;
  readonly read: ReadManifest;
}

/** What was observed so far. */
export interface Observed {
  readonly newest: Revision | undefined;
  /** The newest one that could be followed. */
  readonly good: Revision | undefined;
}

export interface Watcher {
  /** Looks now. During a look it sets a flag for one more look. */
  hint(): void;
  state(): SourceState;
  /** The newest sighting, if any. */
  sighting(): Sighting | undefined;
  /** The manifest that was read last: of the sighting, or, while no look succeeds, of what was observed before. */
  read(): ReadManifest | undefined;
  /** The manifest of the last good observation, for when the newest one cannot be read. */
  good(): ReadManifest | undefined;
  /** Polls until `signal` aborts. `onNews` is called after each look. */
  watch(observed: () => Observed, onNews: () => void, signal: AbortSignal): Promise<void>;
}

/**
 * The poll is the truth, a hint only makes the next look come sooner. One look at a time: a slow remote delays looks,
 * never passes.
 */
export function createWatcher(deps: WatcherDeps): Watcher {
  const { clock, source } = deps;
  let state: SourceState = { kind: 'unseen' };
  let sighting: Sighting | undefined;
  let read: ReadManifest | undefined;
  let good: ReadManifest | undefined;
  let begunAt = 0;
  let hinted = false;
  let wake: () => void = () => {};

  async function once(since: Revision | undefined, signal: AbortSignal): Promise<void> {
    const look = await source.look(since, signal);
    if (signal.aborted) return;
    if (look.kind === 'failing') {
      fail(look.failure);
      return readAgain(since);
    }
    if (!look.descends && deps.onRewrite === 'hold' && look.revision !== since) {
      fail({
        code: 'REPOSITORY_HELD',
        disposition: 'stalled',
        message: `the tracked ref was rewritten: ${look.revision} does not descend from what was observed before`,
        hint: 'restore the branch, or set `onRewrite: follow` in the service configuration',
      });
      return readAgain(since);
    }
    if (sighting?.look.revision !== look.revision) {
      const manifest = await source.manifest(look.revision);
      read = { revision: look.revision, manifest };
      sighting = { look, read };
    } else if (look.testing !== undefined) {
      sighting = { ...sighting, look: { ...sighting.look, testing: look.testing, unread: look.unread } };
    }
    state = { kind: 'ok', at: begunAt, revision: look.revision };
  }

  /** There is nothing new to go by, but what was observed before is in the mirror and still stands. */
  async function readAgain(since: Revision | undefined): Promise<void> {
    if (read !== undefined || since === undefined) return;
    read = { revision: since, manifest: await source.manifest(since) };
  }

  /** Nearly always it was read before; after a restart it may be older than what is read first. */
  async function keepGood(revision: Revision | undefined, before: ReadManifest | undefined): Promise<void> {
    if (revision === undefined || revision === good?.revision) return;
    const known = [read, before].find((each) => each?.revision === revision);
    good = known ?? { revision, manifest: await source.manifest(revision) };
  }

  function fail(failure: Failure): void {
    const before =
      state.kind === 'failing'
        ? { since: state.since, lastSuccessAt: state.lastSuccessAt }
        : { since: clock.now(), lastSuccessAt: state.kind === 'ok' ? state.at : undefined };
    state = { kind: 'failing', at: begunAt, ...before, failure };
  }

  return {
    hint() {
      hinted = true;
      wake();
    },
    state: () => state,
    sighting: () => sighting,
    read: () => read,
    good: () => good,
    async watch(observed, onNews, signal) {
      while (!signal.aborted) {
        begunAt = clock.now();
        hinted = false;
        const before = read;
        try {
          await once(observed().newest, signal);
        } catch (thrown) {
          fail(thrown instanceof FleetError ? failureOf(thrown) : unexpected(thrown));
        }
        await keepGood(observed().good, before).catch(() => {
          // It is wanted in emergencies only, and tried again with the next look.
        });
        onNews();
        if (hinted || signal.aborted) continue;
        const rest = linkedAbort(signal);
        wake = rest.abort;
        const wait = deps.pollEveryMs * (0.9 + 0.2 * deps.jitter());
        await clock.sleep(wait, rest.signal);
        rest.release();
        wake = () => {};
      }
    },
  };
}

function unexpected(thrown: unknown): Failure {
  return { ...failureOf(thrown), code: 'SOURCE_UNREACHABLE', hint: String(thrown).slice(0, 200) };
}
