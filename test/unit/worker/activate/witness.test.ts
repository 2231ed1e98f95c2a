import { describe, expect, it } from 'vitest';

import { aFailure } from '../../../support/builders.ts';
import { createWitness, isHostsFault } from '../../../../worker/activate/witness.ts';

const covers = (tries: readonly (readonly [number, number])[], from = 0, until = 60_000): boolean => {
  const witness = createWitness();
  for (const [start, end] of tries) witness.triedInVain(start, end);
  return witness.covers(from, until);
};

describe('a witness', () => {
  it('has seen nothing without a try', () => {
    expect(covers([])).toBe(false);
    expect(covers([], 0, 1_000)).toBe(false);
  });

  it('covers a window that was filled with tries', () => {
    expect(covers(Array.from({ length: 13 }, (_, i) => [i * 5_000, i * 5_000 + 4_800]))).toBe(true);
  });

  it('does not mind in which order it hears of them', () => {
    expect(
      covers([
        [30_000, 58_000],
        [0, 30_000],
      ]),
    ).toBe(true);
  });

  it('allows for the time in which a dead connection is noticed', () => {
    expect(covers([[9_000, 60_000]])).toBe(true);
  });

  it('does not cover a window that it came late to', () => {
    expect(covers([[20_000, 60_000]])).toBe(false);
  });

  it('does not cover a window that it left early', () => {
    expect(covers([[0, 30_000]])).toBe(false);
  });

  it('does not cover a window in the middle of which it stood still', () => {
    expect(
      covers([
        [0, 20_000],
        [40_000, 60_000],
      ]),
    ).toBe(false);
  });
});

describe('isHostsFault', () => {
  it('is about connections only', () => {
    expect(isHostsFault(aFailure({ code: 'HOST_UNREACHABLE' }))).toBe(true);
    expect(isHostsFault(aFailure({ code: 'HOST_KEY_MISMATCH' }))).toBe(true);
    expect(isHostsFault(aFailure({ code: 'INTERNAL' }))).toBe(false);
    expect(isHostsFault(aFailure({ code: 'CANCELLED' }))).toBe(false);
  });

  it('is not about a host that was not even tried: the worker or the jump host could not', () => {
    const own = aFailure({ code: 'HOST_UNREACHABLE', details: { where: 'worker' } });
    expect(isHostsFault(own)).toBe(false);
    const jump = aFailure({ code: 'HOST_KEY_MISMATCH', details: { where: 'jump' } });
    expect(isHostsFault(jump)).toBe(false);
  });
});
