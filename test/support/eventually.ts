import { setTimeout as pause } from 'node:timers/promises';

export interface Patience {
  /** What is waited for, for the message when it does not come. */
  readonly what: string;
  readonly deadlineMs: number;
  /** How often to look. */
  readonly everyMs?: number;
}

/**
 * Waits until `look` gives a value that is neither `undefined` nor `false`, and returns it. A look that throws counts
 * as "not yet"; its error is shown when the deadline passes.
 */
export async function eventually<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  patience: Patience,
): Promise<Value> {
  const deadline = performance.now() + patience.deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (thrown) {
      last = thrown;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${patience.deadlineMs} ms in vain for: ${patience.what}`, { cause: last });
    }
    await pause(patience.everyMs ?? 20);
  }
}
