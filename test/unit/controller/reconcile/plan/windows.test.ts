import { describe, expect, it } from 'vitest';
import {
  allow,
  ask,
  at,
  day,
  deny,
  freeze,
  hour,
  minute,
  openings,
  override,
} from '../../../../support/windows.ts';

// 1 July 2026 is a Wednesday.
const night = allow('0 22 * * *', 4 * hour);
const office = deny('0 9 * * 1-5', 8 * hour, 'Europe/Berlin');

describe('windows', () => {
  it('are open where there are none', () => {
    expect(ask({}, '2026-07-01T12:00:00Z')).toEqual({ open: true, until: undefined });
  });

  it('are open while an allow window is active, and only then', () => {
    expect(ask({ windows: [night] }, '2026-07-01T21:59:59.999Z')).toEqual({
      open: false,
      reason: 'outside every allowed window; the next opens at 1 July 2026 22:00 UTC',
      until: at('2026-07-01T22:00:00Z'),
    });
    const closes = at('2026-07-02T02:00:00Z');
    expect(ask({ windows: [night] }, '2026-07-01T22:00:00Z')).toEqual({ open: true, until: closes });
    expect(ask({ windows: [night] }, closes - 1)).toEqual({ open: true, until: closes });
    expect(ask({ windows: [night] }, closes)).toMatchObject({
      open: false,
      until: at('2026-07-02T22:00:00Z'),
    });
  });

  it('are closed while a deny window is active, and where there are only such, only then', () => {
    expect(ask({ windows: [office] }, '2026-07-01T08:00:00Z')).toEqual({
      open: false,
      reason: 'denied window (0 9 * * 1-5 for 8h, Europe/Berlin) is open',
      until: at('2026-07-01T15:00:00Z'),
    });
    expect(ask({ windows: [office] }, '2026-07-03T15:00:00Z')).toEqual({
      open: true,
      until: at('2026-07-06T07:00:00Z'),
    });
  });

  it.each([
    // allow, deny, open
    ['none', 'none', true],
    ['none', 'inactive', true],
    ['none', 'active', false],
    ['inactive', 'none', false],
    ['inactive', 'inactive', false],
    ['inactive', 'active', false],
    ['active', 'none', true],
    ['active', 'inactive', true],
    ['active', 'active', false],
    ['both', 'none', true],
    ['both', 'both', false],
    ['none', 'both', false],
  ] as const)('with an allow window: %s, and a deny window: %s, say open: %s', (allows, denies, open) => {
    const now = '2026-07-01T12:30:00Z';
    const some = {
      none: [],
      active: ['0 12 * * *'],
      inactive: ['0 3 * * *'],
      both: ['0 3 * * *', '0 12 * * *'],
    };
    const windows = [
      ...some[allows].map((schedule) => allow(schedule, hour)),
      ...some[denies].map((schedule) => deny(schedule, hour)),
    ];
    for (const freezes of [[], [freeze('2026-06-01T00:00:00Z', '2026-07-01T00:00:00Z')]]) {
      expect(ask({ windows, freezes }, now).open).toBe(open);
    }
    const freezes = [freeze('2026-07-01T12:00:00Z', '2026-07-01T13:00:00Z')];
    expect(ask({ windows, freezes }, now).open).toBe(false);
    const overrides = [override('2026-07-01T12:00:00Z', '2026-07-01T13:00:00Z')];
    expect(ask({ windows, overrides }, now)).toMatchObject({ open: true });
    expect(ask({ windows, overrides, freezes }, now)).toMatchObject({ open: true });
  });

  it('are not closed by an allow window that is not active while another one is', () => {
    const windows = [allow('0 3 * * *', hour), allow('0 12 * * *', hour), allow('0 20 * * *', hour)];
    expect(ask({ windows }, '2026-07-01T12:30:00Z').open).toBe(true);
  });

  it('are not closed by a deny window outside of its hours', () => {
    for (const now of ['2026-07-01T06:59:59Z', '2026-07-01T15:00:00Z', '2026-07-04T10:00:00Z']) {
      expect(ask({ windows: [office] }, now).open).toBe(true);
    }
  });

  it('say when the next activation may start, through several that overlap', () => {
    const windows = [
      night,
      allow('30 23 * * *', 3 * hour),
      deny('0 21 * * 3', 2 * hour),
      deny('30 22 * * 3', 2 * hour),
    ];
    // Wednesday: denied from 21:00 to 00:30. The night is open from then to 02:30.
    expect(ask({ windows }, '2026-07-01T20:00:00Z')).toMatchObject({
      open: false,
      reason: 'outside every allowed window; the next opens at 2 July 2026 00:30 UTC',
      until: at('2026-07-02T00:30:00Z'),
    });
    expect(ask({ windows }, '2026-07-01T21:30:00Z')).toMatchObject({
      until: at('2026-07-02T00:30:00Z'),
    });
    expect(ask({ windows }, '2026-07-02T00:30:00Z')).toEqual({
      open: true,
      until: at('2026-07-02T02:30:00Z'),
    });
  });

  it('last longer where they open again before they have closed', () => {
    const windows = [allow('0 22 * * 5,6', 36 * hour)];
    expect(openings(windows, '2026-07-02T00:00:00Z', '2026-07-09T00:00:00Z')).toEqual([
      `2026-07-03T22:00:00.000Z for ${60 * 60} min`,
    ]);
  });

  it('that follow one another without a gap are one', () => {
    const windows = [allow('0 22 * * *', hour), allow('0 23 * * *', hour)];
    expect(ask({ windows }, '2026-07-01T22:10:00Z')).toEqual({
      open: true,
      until: at('2026-07-02T00:00:00Z'),
    });
  });

  it('open on either day where both are restricted', () => {
    // Wednesday, and the third of the month, a Friday.
    expect(openings([allow('0 6 3 * 3', hour)], '2026-07-01T00:00:00Z', '2026-07-07T00:00:00Z')).toEqual([
      '2026-07-01T06:00:00.000Z for 60 min',
      '2026-07-03T06:00:00.000Z for 60 min',
    ]);
  });

  it('of one minute are never missed', () => {
    const windows = [allow('17 4 * * *', minute)];
    expect(openings(windows, '2026-07-01T00:00:00Z', '2026-07-04T00:00:00Z')).toEqual(
      ['01', '02', '03'].map((date) => `2026-07-${date}T04:17:00.000Z for 1 min`),
    );
  });

  it('that never open, and are never denied, say so', () => {
    expect(ask({ windows: [allow('0 0 31 2 *', hour)] }, '2026-07-01T00:00:00Z')).toEqual({
      open: false,
      reason: 'outside every allowed window; none opens in the next years',
      until: undefined,
    });
    expect(ask({ windows: [deny('0 0 31 2 *', hour)] }, '2026-07-01T00:00:00Z')).toEqual({
      open: true,
      until: undefined,
    });
  });

  it('that are always open are not searched for ever', () => {
    expect(ask({ windows: [allow('* * * * *', hour)] }, '2026-07-01T00:00:00Z')).toEqual({
      open: true,
      until: undefined,
    });
    const never = [allow('0 0 * * *', hour), deny('0 0 * * *', hour)];
    for (const now of ['2026-07-01T00:30:00Z', '2026-07-01T12:00:00Z', '2027-07-01T12:00:00Z']) {
      expect(ask({ windows: never }, now)).toMatchObject({ open: false, until: undefined });
    }
  });

  it('are found months ahead where all until then are denied', () => {
    const windows = [night, deny('0 22 * 1-11 *', 4 * hour)];
    expect(ask({ windows }, '2026-01-05T12:00:00Z')).toMatchObject({ until: at('2026-12-01T22:00:00Z') });
  });

  it.each(['* * * *', '61 * * * *', '@daily', '2026-01-01T00:00:00', '', '0 9 * * * *'])(
    'keep everything closed with a schedule that nobody can read: %j',
    (schedule) => {
      for (const window of [allow(schedule, hour), deny(schedule, hour)]) {
        const answer = ask({ windows: [window, allow('* * * * *', hour)] }, '2026-07-01T00:00:00Z');
        expect(answer).toMatchObject({ open: false, until: undefined });
        expect(answer).toHaveProperty('reason', expect.stringContaining('cannot be read'));
      }
    },
  );

  it.each(['Nowhere/City', ''])('keep everything closed with a time zone that there is not: %j', (zone) => {
    expect(ask({ windows: [deny('0 9 * * *', hour, zone)] }, '2026-07-01T00:00:00Z').open).toBe(false);
  });

  it('work with clocks that are far ahead', () => {
    for (const year of ['2099', '2499', '2500', '2999', '+003000', '+009999', '+012345']) {
      const now = at(`${year}-07-01T12:00:00Z`);
      const opens = at(`${year}-07-01T22:00:00Z`);
      expect(ask({ windows: [night] }, now)).toMatchObject({ open: false, until: opens });
      expect(ask({ windows: [night] }, opens)).toEqual({ open: true, until: opens + 4 * hour });
    }
    expect(ask({ windows: [night] }, 9e15)).toHaveProperty('open');
  });

  it('keep the days of the week with clocks that are far ahead', () => {
    const now = at('+003026-07-01T12:00:00Z');
    const answer = ask({ windows: [allow('0 22 * * 3', hour)] }, now);
    expect(new Date(answer.until ?? 0).getUTCDay()).toBe(3);
    expect((answer.until ?? 0) - now).toBeLessThan(8 * day);
  });
});
