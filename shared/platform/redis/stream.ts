import type { Redis } from 'ioredis';
import { z } from 'zod';
import { FleetError } from '../../domain/errors.ts';
import type { Cursor } from '../ports/deployment-log.ts';
import { talking } from './errors.ts';
import type { Subscriptions } from './subscriptions.ts';

const Entries = z.array(z.tuple([z.string(), z.array(z.string())]));
const cursor = /^\d{1,19}-\d{1,19}$/;

export interface StreamEntry {
  readonly id: Cursor;
  readonly fields: ReadonlyMap<string, string>;
}

/** The first `limit` entries of a Redis stream that come after the cursor. */
export async function readStream(
  redis: Redis,
  key: string,
  after: Cursor | undefined,
  limit: number,
): Promise<readonly StreamEntry[]> {
  const from = after === undefined ? '-' : `(${parseCursor(after)}`;
  const found = Entries.parse(await talking(() => redis.xrange(key, from, '+', 'COUNT', limit)));
  return found.map(([id, flat]) => ({ id, fields: pairs(flat) }));
}

/** @throws FleetError INVALID_INPUT */
export function parseCursor(text: Cursor): Cursor {
  if (!cursor.test(text)) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `${JSON.stringify(text.slice(0, 80))} is not the id of an entry`,
      hint: 'give an id as it was read, or none to begin with the oldest entry',
    });
  }
  return text;
}

/** Names and values in turn, as Redis gives them. */
export function pairs(flat: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i] ?? '', flat[i + 1] ?? '');
  return map;
}

/**
 * Runs `pull` once, and again after each message of the channel; never two at a time. A pull that fails is tried
 * again. Returns the closer.
 *
 * @throws what the first pull throws
 */
export async function follow(
  subscriptions: Subscriptions,
  channel: string,
  pull: () => Promise<void>,
): Promise<() => Promise<void>> {
  let closed = false;
  let asked = false;
  let pulling: Promise<void> | undefined;
  let again: NodeJS.Timeout | undefined;

  function wake(): void {
    asked = true;
    pulling ??= drain().finally(() => {
      pulling = undefined;
    });
  }

  async function drain(): Promise<void> {
    while (asked) {
      asked = false;
      if (closed) return;
      try {
        await pull();
      } catch {
        clearTimeout(again);
        again = setTimeout(wake, 1_000);
      }
    }
  }

  // Subscribed before the first look, so that nothing falls between.
  const unsubscribe = await subscriptions.listen(channel, 25, wake);
  const close = async () => {
    closed = true;
    clearTimeout(again);
    await unsubscribe();
    await pulling;
  };
  try {
    pulling = pull();
    await pulling;
  } catch (thrown) {
    pulling = undefined;
    await close();
    throw thrown;
  }
  pulling = undefined;
  if (asked) wake();
  return close;
}
