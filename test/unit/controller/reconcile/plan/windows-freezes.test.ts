import { describe, expect, it } from 'vitest';
import { host } from '../../../../support/builders.ts';
import { allow, ask, at, deny, freeze, hour, override } from '../../../../support/windows.ts';

const night = allow('0 22 * * *', 4 * hour);

describe('freezes', () => {
  const holidays = freeze('2026-12-20T00:00:00Z', '2027-01-02T00:00:00Z');

  it('close from their first instant to their last, and say who wants it and why', () => {
    expect(ask({ freezes: [holidays] }, holidays.from - 1)).toEqual({ open: true, until: holidays.from });
    expect(ask({ freezes: [holidays] }, holidays.from)).toEqual({
      open: false,
      reason: 'freeze until 2 January 2027 00:00 UTC by ada: holidays',
      until: holidays.until,
    });
    expect(ask({ freezes: [holidays] }, holidays.until)).toEqual({ open: true, until: undefined });
  });

  it('end at the next window where there are windows', () => {
    expect(ask({ freezes: [holidays], windows: [night] }, '2026-12-24T23:00:00Z')).toMatchObject({
      open: false,
      until: at('2027-01-02T00:00:00Z'),
    });
    const morning = allow('0 6 * * *', hour);
    expect(ask({ freezes: [holidays], windows: [morning] }, '2026-12-24T06:30:00Z')).toMatchObject({
      open: false,
      until: at('2027-01-02T06:00:00Z'),
    });
  });

  it('that overlap or follow one another are over when the last is', () => {
    const more = [
      holidays,
      freeze('2027-01-01T00:00:00Z', '2027-01-05T00:00:00Z'),
      freeze('2027-01-05T00:00:00Z', '2027-01-06T00:00:00Z'),
    ];
    expect(ask({ freezes: more }, '2026-12-24T00:00:00Z').until).toBe(at('2027-01-06T00:00:00Z'));
    expect(ask({ freezes: more }, '2027-01-01T12:00:00Z')).toHaveProperty(
      'reason',
      'freeze until 5 January 2027 00:00 UTC by ada: holidays',
    );
  });

  it.each([
    [{ kind: 'fleet' }, false],
    [{ kind: 'group', group: 'routers' }, false],
    [{ kind: 'group', group: 'web' }, true],
    [{ kind: 'host', host: host('web1') }, false],
    [{ kind: 'host', host: host('web2') }, true],
  ] as const)('of %j leave web1, which is in routers, open: %s', (scope, open) => {
    const now = '2026-12-24T00:00:00Z';
    expect(ask({ freezes: [{ ...holidays, scope }] }, now).open).toBe(open);
    const closed = { freezes: [holidays], windows: [night] };
    const overrides = [override('2026-12-23T00:00:00Z', '2026-12-25T00:00:00Z', scope)];
    expect(ask({ ...closed, overrides }, now).open).toBe(!open);
  });
});

describe('overrides', () => {
  const emergency = override('2026-07-01T12:00:00Z', '2026-07-01T14:00:00Z');

  it('open from when they were given until they end, and say whose they are', () => {
    const rules = { windows: [night], overrides: [emergency] };
    expect(ask(rules, '2026-07-01T13:00:00Z')).toEqual({
      open: true,
      until: emergency.until,
      overridden: { by: 'bob', reason: 'CVE-2026-1', until: emergency.until },
    });
    expect(ask(rules, emergency.until)).toMatchObject({ open: false, until: at('2026-07-01T22:00:00Z') });
    // One of a leader whose clock is ahead.
    expect(ask(rules, '2026-07-01T11:00:00Z')).toMatchObject({ open: false, until: emergency.at });
  });

  it('are not mentioned where it would be open without them', () => {
    expect(ask({ overrides: [emergency] }, '2026-07-01T13:00:00Z')).toEqual({
      open: true,
      until: undefined,
    });
  });

  it('that end inside an open window change nothing then', () => {
    const windows = [allow('0 13 * * *', 3 * hour)];
    expect(ask({ windows, overrides: [emergency] }, '2026-07-01T12:30:00Z')).toMatchObject({
      open: true,
      until: at('2026-07-01T16:00:00Z'),
      overridden: { by: 'bob' },
    });
  });

  it('open against a deny window and a freeze that are both active', () => {
    const rules = {
      windows: [deny('0 10 * * *', 8 * hour)],
      freezes: [freeze('2026-07-01T00:00:00Z', '2026-07-03T00:00:00Z')],
      overrides: [emergency],
    };
    expect(ask(rules, '2026-07-01T13:00:00Z')).toMatchObject({ open: true, until: emergency.until });
    expect(ask(rules, emergency.until)).toMatchObject({ open: false, until: at('2026-07-03T00:00:00Z') });
  });
});
