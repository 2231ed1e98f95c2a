import { setTimeout as delay } from 'node:timers/promises';

import { FleetError } from '../../shared/domain/errors.ts';

/** Looks again and again until `look` gives something other than `undefined`; throws after `timeout` milliseconds. */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeout = 30_000,
  interval = 20,
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) {
      throw new FleetError({
        code: 'TIMED_OUT',
        disposition: 'transient',
        message: `${what}: not within ${timeout} ms`,
      });
    }
    await delay(interval);
  }
}
