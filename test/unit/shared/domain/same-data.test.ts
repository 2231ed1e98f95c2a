import { describe, expect, it } from 'vitest';
import { Check } from '../../../../shared/contracts/domain.ts';
import { resolveCheck } from '../../../../shared/contracts/manifest-check.ts';
import { sameData } from '../../../../shared/domain/same-data.ts';

describe('plain values', () => {
  it('are the same in whatever order their fields are', () => {
    expect(sameData({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 })).toBe(true);
  });

  it.for([
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], { 0: 1 }],
    [{ a: '1' }, { a: 1 }],
    [[], undefined],
  ])('are not the same where anything differs: %j and %j', ([one, other]) => {
    expect(sameData(one, other)).toBe(false);
  });

  it.for([
    { unit: 'nginx' },
    { http: { port: 8080, path: '/health' } },
    { tcp: 5432 },
    { command: ['true'] },
    { worker: 'is-drained' },
    { prometheus: { url: 'http://192.0.2.1:9090', query: 'up', above: 0 } },
  ])('are the same once they were stored: the check %j', (written) => {
    const checks = resolveCheck(written, '192.0.2.2');
    expect(checks).toHaveLength(1);
    const stored = checks.map((check) => Check.parse(JSON.parse(JSON.stringify(check))));
    expect(sameData(stored, checks)).toBe(true);
  });
});
