import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { linkedAbort } from '../../../../controller/reconcile/linked-abort.ts';

describe('linkedAbort', () => {
  it('aborts with the signal that it is linked to', () => {
    const long = new AbortController();
    const short = linkedAbort(long.signal);
    expect(short.signal.aborted).toBe(false);
    long.abort();
    expect(short.signal.aborted).toBe(true);
    expect(linkedAbort(long.signal).signal.aborted).toBe(true);
  });

  it('aborts by itself, and leaves nothing behind once it is released', () => {
    const long = new AbortController();
    const short = linkedAbort(long.signal);
    expect(getEventListeners(long.signal, 'abort')).toHaveLength(1);
    short.abort();
    expect(short.signal.aborted).toBe(true);
    expect(long.signal.aborted).toBe(false);
    short.release();
    expect(getEventListeners(long.signal, 'abort')).toHaveLength(0);
  });
});
