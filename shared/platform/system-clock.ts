import { setTimeout as pause } from 'node:timers/promises';

import type { Clock } from './ports/clock.ts';

/** The machine's own clock. */
export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    async sleep(ms, signal) {
      // Rejects only when the signal aborts, which for a sleeper means no more than: wake up.
      await pause(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    },
  };
}
