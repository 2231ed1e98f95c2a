import { expect, test } from 'vitest';
import { steadyTime } from '../../../../controller/reconcile/steady-time.ts';

function timeOf(readings: readonly number[], since: number): () => number {
  let read = 0;
  return steadyTime({ now: () => readings[read++] ?? 0, sleep: async () => {} }, since);
}

test('time goes as the clock does', () => {
  const time = timeOf([10, 20, 35], 5);
  expect([time(), time(), time()]).toEqual([10, 20, 35]);
});

test('a clock that is set back makes no pass older than the one before, and one that is right again is followed', () => {
  const time = timeOf([100, 40, 41, 150], 5);
  expect([time(), time(), time(), time()]).toEqual([100, 101, 102, 150]);
});

test('the first pass is later than the beginning of its leadership', () => {
  expect(timeOf([3], 8)()).toBe(9);
});
