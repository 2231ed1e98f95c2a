import { FleetError } from '../../shared/domain/errors.ts';
import type { PushRequest } from './push.ts';

/** Ends a push that takes too long, or that nothing moves in. */
export interface Watch {
  /** Aborted when the caller's is, at the deadline, and when nothing has moved for too long. */
  readonly signal: AbortSignal;
  /** Something got through. */
  moved(): void;
  /** The next word of the host is about a path of this size: it may be busy with that for long. */
  awaits(bytes: number): void;
  /** How long a host may be silent about a path of this size. */
  patienceMs(bytes: number): number;
  /** The same, and whatever comes of it has moved. */
  watched(output: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Why it was ended, if it was: what breaks then breaks for that. */
  why(request: PushRequest): FleetError | undefined;
  end(): void;
}

/** How long a host may take nothing and say nothing. */
export interface Patience {
  /** In any case. */
  readonly stallMs: number;
  /**
   * What the slowest disk takes: before a daemon says that it has a path, it may have to wait until all of it is written,
   * or to read it once more.
   */
  readonly diskBytesPerSecond: number;
}

export function createWatch(outer: AbortSignal, limits: Patience & { readonly deadlineMs: number }): Watch {
  const own = new AbortController();
  let reason: 'deadline' | 'stall' | undefined;
  const patienceMs = (bytes: number): number => limits.stallMs + (1_000 * bytes) / limits.diskBytesPerSecond;
  let last = performance.now();
  let patience = limits.stallMs;
  const endFor = (why: 'deadline' | 'stall'): void => {
    reason ??= why;
    own.abort();
  };
  const deadline = setTimeout(() => endFor('deadline'), limits.deadlineMs);
  const look = setInterval(() => {
    if (performance.now() - last > patience) endFor('stall');
  }, limits.stallMs / 10);
  const moved = (): void => {
    last = performance.now();
  };
  return {
    signal: AbortSignal.any([outer, own.signal]),
    moved,
    awaits(bytes) {
      patience = patienceMs(bytes);
    },
    patienceMs,
    async *watched(output) {
      for await (const bytes of output) {
        moved();
        yield bytes;
      }
    },
    why({ connection }) {
      const where = `${connection.address}:${connection.port}`;
      switch (reason) {
        case undefined:
          return outer.aborted ? cancelled(where) : undefined;
        case 'deadline':
          return new FleetError({
            code: 'PUSH_FAILED',
            disposition: 'transient',
            message: `the push to ${where} took longer than ${limits.deadlineMs / 1_000} s`,
            hint: 'what has arrived stays there; raise timeouts.push in varve.yaml if the line is slow',
          });
        case 'stall':
          return new FleetError({
            code: 'HOST_UNREACHABLE',
            disposition: 'transient',
            message: `${where} took nothing and said nothing for ${Math.round(patience / 100) / 10} s`,
            hint: 'what has arrived stays there; see whether the host still runs',
          });
      }
    },
    end() {
      clearTimeout(deadline);
      clearInterval(look);
    },
  };
}

function cancelled(where: string): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: `the push to ${where} was given up`,
  });
}
