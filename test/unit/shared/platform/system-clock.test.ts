import { expect, it } from 'vitest';

import { createSystemClock } from '../../../../shared/platform/system-clock.ts';

const clock = createSystemClock();

it('sleeps for as long as it was told', async () => {
  const before = performance.now();
  await clock.sleep(30);
  expect(performance.now() - before).toBeGreaterThanOrEqual(29);
});

it('wakes up without an error when the signal aborts', async () => {
  const abort = new AbortController();
  const sleeping = clock.sleep(60_000, abort.signal);
  abort.abort();
  await expect(sleeping).resolves.toBeUndefined();
  await expect(clock.sleep(60_000, AbortSignal.abort())).resolves.toBeUndefined();
});
