import { describe, expect, test } from 'vitest';
import {
  bearerToken,
  hostOf,
  isCrossSite,
  isLoopbackAddress,
  isOwnHost,
  sameSecret,
} from '../../../../controller/http/caller.ts';
import { httpErrorOf, statusOf } from '../../../../controller/http/errors.ts';
import { createRateLimiter } from '../../../../controller/http/rate-limiter.ts';
import { isSignedBy } from '../../../../controller/http/webhook-signature.ts';
import { errorCodes, FleetError } from '../../../../shared/domain/errors.ts';

describe('errors as answers', () => {
  test('every code has a status, and none is a success', () => {
    expect(Object.keys(statusOf).sort()).toEqual([...errorCodes].sort());
    for (const status of Object.values(statusOf)) expect(status).toBeGreaterThanOrEqual(400);
  });

  test('what is thrown by others keeps its text to itself', () => {
    const answer = httpErrorOf(new TypeError('undefined is not the password hunter2'));
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.failure)).not.toContain('hunter2');
    expect(answer.internal).toBe(true);
  });

  test('a failure of the fleet keeps its hint', () => {
    const thrown = new FleetError({
      code: 'NOT_FOUND',
      disposition: 'stalled',
      message: 'no such host',
      hint: 'see status',
    });
    expect(httpErrorOf(thrown)).toMatchObject({
      status: 404,
      failure: { code: 'NOT_FOUND', hint: 'see status' },
    });
  });
});

describe('who asks', () => {
  test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])('%s is this machine', (address) => {
    expect(isLoopbackAddress(address)).toBe(true);
  });
  test.each([undefined, '', '10.0.0.1', '::ffff:10.0.0.1', '127.evil', 'localhost', '::'])(
    '%s is not',
    (address) => {
      expect(isLoopbackAddress(address)).toBe(false);
    },
  );

  test('names in a Host header lose port, brackets and a final dot', () => {
    expect(hostOf('Varve.Example.:80')).toBe('varve.example');
    expect(hostOf('[::1]:80')).toBe('::1');
    expect(hostOf('a:b:c')).toBeUndefined();
    expect(isOwnHost(undefined, [])).toBe(false);
  });

  test('programs send no origin', () => {
    expect(isCrossSite({ host: 'x' })).toBe(false);
    expect(isCrossSite({ host: 'x', 'sec-fetch-site': 'none' })).toBe(false);
    expect(isCrossSite({ host: 'x', origin: 'file://' })).toBe(true);
  });

  test('only a bearer token is one', () => {
    expect(bearerToken('Bearer abc')).toBe('abc');
    for (const wrong of [
      undefined,
      '',
      'abc',
      'Basic abc',
      'Bearer',
      'Bearer a b',
      `Bearer ${'x'.repeat(600)}`,
    ]) {
      expect(bearerToken(wrong)).toBeUndefined();
    }
  });

  test('secrets of any length can be compared', () => {
    expect(sameSecret('a', 'a')).toBe(true);
    expect(sameSecret('a', 'aa')).toBe(false);
    expect(sameSecret('', 'a')).toBe(false);
  });
});

test('an empty secret signs nothing', () => {
  const empty = 'sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad';
  expect(isSignedBy([''], new Uint8Array(), empty)).toBe(false);
  expect(isSignedBy([], new Uint8Array(), empty)).toBe(false);
});

test('a limit fills up again with time, and one sender does not take from another', () => {
  let now = 0;
  const limiter = createRateLimiter({ now: () => now, perMinute: 60, burst: 2, maxKeys: 2 });
  expect([limiter.take('a'), limiter.take('a'), limiter.take('a'), limiter.take('b')]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  now += 1_000;
  expect([limiter.take('a'), limiter.take('a')]).toEqual([true, false]);
});
