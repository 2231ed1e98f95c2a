import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { parseDeploymentId, parseHostName } from '../../../../shared/domain/names.ts';
import type { PushRequest } from '../../../../worker/push/push.ts';
import { createWatch } from '../../../../worker/push/watch.ts';
import { pathOf } from './path-infos.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const request: PushRequest = {
  host: parseHostName('web1'),
  deployment: parseDeploymentId('d000001'),
  connection: { address: 'web1', port: 22, user: 'root', hostKeys: [] },
  paths: new Map([['toplevel', pathOf(1)]]),
  deadlineMs: 10_000,
};
const limits = { deadlineMs: 10_000, stallMs: 1_000, diskBytesPerSecond: 100 };
const never = new AbortController().signal;

test('what moves is left alone up to its deadline', () => {
  const watch = createWatch(never, limits);
  for (let n = 0; n < 9; n += 1) {
    vi.advanceTimersByTime(900);
    watch.moved();
  }
  expect(watch.signal.aborted).toBe(false);
  expect(watch.why(request)).toBeUndefined();
  for (let n = 0; n < 3; n += 1) {
    vi.advanceTimersByTime(900);
    watch.moved();
  }
  expect(watch.signal.aborted).toBe(true);
  expect(watch.why(request)).toMatchObject({ code: 'PUSH_FAILED', disposition: 'transient' });
  watch.end();
});

test('what does not move is given up', () => {
  const watch = createWatch(never, limits);
  vi.advanceTimersByTime(900);
  expect(watch.signal.aborted).toBe(false);
  vi.advanceTimersByTime(300);
  expect(watch.signal.aborted).toBe(true);
  expect(watch.why(request)).toMatchObject({ code: 'HOST_UNREACHABLE', disposition: 'transient' });
  watch.end();
});

test('a host that was sent a large path may be silent for as long as a slow disk takes for it', () => {
  const watch = createWatch(never, limits);
  watch.awaits(200);
  vi.advanceTimersByTime(2_900);
  expect(watch.signal.aborted).toBe(false);
  vi.advanceTimersByTime(300);
  expect(watch.signal.aborted).toBe(true);
  expect(watch.why(request)?.message).toContain('said nothing for 3 s');
  watch.end();
});

test('a large path that has arrived is an excuse for nothing any more', () => {
  const watch = createWatch(never, limits);
  watch.awaits(200);
  watch.awaits(0);
  vi.advanceTimersByTime(1_200);
  expect(watch.signal.aborted).toBe(true);
  watch.end();
});

test('what is said is handed on, and counts as moving', async () => {
  const watch = createWatch(never, limits);
  const heard: string[] = [];
  async function* output(): AsyncGenerator<Uint8Array> {
    for (const word of ['one', 'two', 'three']) {
      vi.advanceTimersByTime(800);
      yield Buffer.from(word);
    }
  }
  for await (const bytes of watch.watched(output())) heard.push(Buffer.from(bytes).toString());
  expect(heard).toEqual(['one', 'two', 'three']);
  expect(watch.signal.aborted).toBe(false);
  watch.end();
});

test('who does not want it any more ends it, and is told so', () => {
  const outer = new AbortController();
  const watch = createWatch(outer.signal, limits);
  outer.abort();
  expect(watch.signal.aborted).toBe(true);
  expect(watch.why(request)).toMatchObject({ code: 'CANCELLED' });
  watch.end();
});

test('after its end nothing is watched', () => {
  const watch = createWatch(never, limits);
  watch.end();
  vi.advanceTimersByTime(60_000);
  expect(watch.signal.aborted).toBe(false);
});
