import { describe, expect, it } from 'vitest';
import { createEvaluationTries } from '../../../../controller/reconcile/evaluation-tries.ts';

const patience = { probeEveryMs: 1, backOffMs: 1_000, longestBackOffMs: 60_000, lookAgainMs: 1 };

describe('an evaluation that failed for a passing reason', () => {
  it('is tried again after a wait that doubles', () => {
    const tries = createEvaluationTries(patience);
    expect(tries.failed('key', 0)).toBe(1_000);
    expect(tries.failed('key', 500)).toBe(1_000);
    expect(tries.failed('key', 1_000)).toBeUndefined();
    expect(tries.failed('key', 1_100)).toBe(3_000);
    expect(tries.failed('other', 1_100)).toBe(2_100);
  });

  it('is tried at once when a person asks for it', () => {
    const tries = createEvaluationTries(patience);
    expect(tries.failed('key', 0)).toBe(1_000);
    tries.hurry(10);
    expect(tries.failed('key', 10)).toBeUndefined();
  });
});
