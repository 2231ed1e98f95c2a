import { expect, test } from 'vitest';

import { createSingleFlight } from '../../../../shared/platform/single-flight.ts';

function deferred<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (thrown: unknown) => void = () => {};
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const forever = new AbortController().signal;

test('work of one key runs once for all who ask meanwhile, and again afterwards', async () => {
  const flights = createSingleFlight<number>();
  const work = deferred<number>();
  let runs = 0;
  const start = () => {
    runs += 1;
    return work.promise;
  };
  const both = [flights.run('k', forever, start), flights.run('k', forever, start)];
  work.resolve(7);
  expect(await Promise.all(both)).toEqual([7, 7]);
  expect(runs).toBe(1);
  expect(await flights.run('k', forever, start)).toBe(7);
  expect(runs).toBe(2);
});

test('one who leaves does not take the work away from the others', async () => {
  const flights = createSingleFlight<number>();
  const work = deferred<number>();
  let aborted = false;
  const start = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => (aborted = true));
    return work.promise;
  };
  const leaving = new AbortController();
  const left = flights.run('k', leaving.signal, start);
  const stayed = flights.run('k', forever, start);
  leaving.abort();
  await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(aborted).toBe(false);
  work.resolve(1);
  expect(await stayed).toBe(1);
});

test('when the last one has left the work is aborted, and nobody joins it any more', async () => {
  const flights = createSingleFlight<number>();
  const signals: AbortSignal[] = [];
  const start = (signal: AbortSignal) => {
    signals.push(signal);
    return signals.length === 1 ? new Promise<number>(() => {}) : Promise.resolve(2);
  };
  const leaving = new AbortController();
  const left = flights.run('k', leaving.signal, start);
  leaving.abort();
  await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(signals[0]?.aborted).toBe(true);
  expect(await flights.run('k', forever, start)).toBe(2);
});

test('a failure goes to all who wait', async () => {
  const flights = createSingleFlight<number>();
  const work = deferred<number>();
  const both = [flights.run('k', forever, () => work.promise), flights.run('k', forever, () => work.promise)];
  work.reject(new Error('no'));
  for (const each of both) await expect(each).rejects.toThrow('no');
});
