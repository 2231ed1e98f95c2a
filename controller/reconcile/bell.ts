import type { Clock } from '../../shared/platform/ports/clock.ts';
import { linkedAbort } from './linked-abort.ts';

/** Wakes the loop of passes; rung many times between two passes it counts once. */
export interface Bell {
  readonly ring: () => void;
  quiet(): void;
  wait(until: number | undefined, signal: AbortSignal): Promise<void>;
}

export function createBell(clock: Clock): Bell {
  let rung = false;
  let wake: () => void = () => {};
  return {
    ring: () => {
      rung = true;
      wake();
    },
    quiet: () => void (rung = false),
    async wait(until, signal) {
      if (rung || signal.aborted) return;
      const rest = linkedAbort(signal);
      wake = rest.abort;
      // Nothing due: a look once a minute all the same, should a change have gone unnoticed.
      const ms = Math.min(until === undefined ? 60_000 : Math.max(until - clock.now(), 0), 60_000);
      await clock.sleep(ms, rest.signal);
      rest.release();
      wake = () => {};
    },
  };
}
