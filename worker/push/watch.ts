import { FleetError } from '../../shared/domain/errors.ts';
import type { PushRequest } from './push.ts';

/** Ends a push that takes too long, or that nothing moves in. */
export interface Watch {
  /** Aborted when the caller's is, at the deadline, and when nothing has moved for too long. */
  readonly signal: AbortSignal;
  /** Something got through. */
  moved(): void;
  /** The same, and whatever comes of it has moved. */
  watched(output: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Why it was ended, if it was: what breaks then breaks for that. */
  why(request: PushRequest): FleetError | undefined;
  end(): void;
}

export function createWatch(
  outer: AbortSignal,
  limits: { readonly deadlineMs: number; readonly stallMs: number },
): Watch {
  const own = new AbortController();
  let reason: 'deadline' | 'stall' | undefined;
  let last = performance.now();
  const endFor = (why: 'deadline' | 'stall'): void => {
    reason ??= why;
    own.abort();
  };
  const deadline = setTimeout(() => endFor('deadline'), limits.deadlineMs);
  const look = setInterval(() => {
    if (performance.now() - last > limits.stallMs) endFor('stall');
  }, limits.stallMs / 10);
  const moved = (): void => {
    last = performance.now();
  };
  return {
    signal: AbortSignal.any([outer, own.signal]),
    moved,
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
            message: `${where} took nothing and said nothing for ${limits.stallMs / 1_000} s`,
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
