import { setTimeout as pause } from 'node:timers/promises';
import { FleetEvent, type FleetHappening } from '../../shared/contracts/api-events.ts';
import { Status } from '../../shared/contracts/api.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { ApiClient } from '../api-client.ts';
import { readEvents } from '../event-reader.ts';
import { harmlessDeep } from '../terminal.ts';

export interface FleetWatchDeps {
  readonly api: ApiClient;
  readonly signal: AbortSignal;
  onStatus(status: Status): void;
  onHappening(happening: FleetHappening, at: number): void;
  /** Told once when the API refuses us: nothing can be shown then. */
  onRefused(why: FleetError): void;
}

/** At most this often is the status read, and at least every few seconds. */
const shortestMs = 250;
const longestMs = 3_000;

/**
 * Follows a fleet until the signal aborts: every event as it comes, and the status soon after something happened. A
 * controller that goes away is waited for.
 */
export async function watchFleet(deps: FleetWatchDeps): Promise<void> {
  let wake: () => void = () => {};
  let refused = false;
  await Promise.all([followEvents(deps, () => wake()), readStatus()]);

  async function readStatus(): Promise<void> {
    while (!deps.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      try {
        deps.onStatus(await deps.api.get('/status', Status));
      } catch (thrown) {
        // Away for a moment: what was shown last stays.
        if (!refused && thrown instanceof FleetError && thrown.code === 'UNAUTHORIZED') {
          refused = true;
          deps.onRefused(thrown);
        }
      }
      await quiet(shortestMs, deps.signal);
      await Promise.race([woken, quiet(longestMs, deps.signal)]);
    }
  }
}

async function followEvents(deps: FleetWatchDeps, wake: () => void): Promise<void> {
  let last: string | undefined;
  while (!deps.signal.aborted) {
    try {
      const body = await deps.api.stream('/events', { signal: deps.signal, lastEventId: last });
      for await (const event of readEvents(body)) {
        if (event.id !== undefined) last = event.id;
        const parsed = FleetEvent.safeParse(harmlessDeep(JSON.parse(event.data)));
        // An event of a newer controller: the status says the same.
        if (parsed.success) deps.onHappening(parsed.data.happening, parsed.data.at);
        wake();
      }
    } catch {
      // It broke off; the next stream goes on after the last event.
    }
    await quiet(500, deps.signal);
  }
}

async function quiet(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => {});
}
