import { describe, expect, it } from 'vitest';
import { mayStart, type StartRules } from '../../../../../controller/reconcile/plan/windows.ts';
import type { FactOf } from '../../../../../shared/domain/facts.ts';
import type { Freeze, Scope, Window } from '../../../../../shared/domain/policy.ts';
import { host } from '../../../../support/builders.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const fleet: Scope = { kind: 'fleet' };

function at(text: string): number {
  return Date.parse(text);
}

function allow(schedule: string, durationMs: number, timeZone = 'UTC'): Window {
  return { kind: 'allow', schedule, durationMs, timeZone };
}

function deny(schedule: string, durationMs: number, timeZone = 'UTC'): Window {
  return { kind: 'deny', schedule, durationMs, timeZone };
}

function freeze(from: string, until: string, scope = fleet): Freeze {
  return { from: at(from), until: at(until), reason: 'holidays', author: 'ada', scope };
}

function override(from: string, until: string, scope = fleet): FactOf<'override'> {
  return { kind: 'override', at: at(from), until: at(until), by: 'bob', reason: 'CVE-2026-1', scope };
}

/** web1 is in the group routers. */
function ask(rules: Partial<StartRules>, now: string | number) {
  const member = { name: host('web1'), groups: ['routers'] };
  const given = { windows: [], freezes: [], overrides: [], member, ...rules };
  return mayStart(given, typeof now === 'number' ? now : at(now));
}

/** When windows open and close in a time, found out by following `until`. */
function openings(windows: readonly Window[], from: string, to: string): string[] {
  const found: string[] = [];
  let now: number | undefined = at(from);
  while (now !== undefined && now < at(to)) {
    const answer = ask({ windows }, now);
    if (answer.open) {
      found.push(`${new Date(now).toISOString()} for ${((answer.until ?? Infinity) - now) / minute} min`);
    }
    now = answer.until;
  }
  return found;
}

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

describe('windows and daylight saving', () => {
  it.each([
    // zone, schedule, from, to: at the time that is skipped it opens when the clocks have gone on
    [
      'Europe/Berlin',
      '30 2 * * *',
      '2026-03-28T12:00:00Z',
      '2026-03-29T12:00:00Z',
      '2026-03-29T01:00:00.000Z',
    ],
    [
      'Europe/Berlin',
      '30 2 * * *',
      '2026-10-24T12:00:00Z',
      '2026-10-25T12:00:00Z',
      '2026-10-25T00:30:00.000Z',
    ],
    [
      'America/New_York',
      '30 2 * * *',
      '2026-03-07T12:00:00Z',
      '2026-03-08T12:00:00Z',
      '2026-03-08T07:00:00.000Z',
    ],
    [
      'America/New_York',
      '30 1 * * *',
      '2026-10-31T12:00:00Z',
      '2026-11-01T12:00:00Z',
      '2026-11-01T05:30:00.000Z',
    ],
    [
      'Australia/Lord_Howe',
      '15 2 * * *',
      '2026-10-03T06:00:00Z',
      '2026-10-04T06:00:00Z',
      '2026-10-03T15:30:00.000Z',
    ],
  ])('%s: %s opens exactly once between %s and %s', (zone, schedule, from, to, opens) => {
    for (const length of [1, 30, 60, 90, 240]) {
      expect(openings([allow(schedule, length * minute, zone)], from, to)).toEqual([
        `${opens} for ${length} min`,
      ]);
    }
  });

  it('a list of hours opens like hours that are named one by one', () => {
    const windows = [allow('30 2,14 * * *', hour, 'Europe/Berlin')];
    expect(openings(windows, '2026-03-28T20:00:00Z', '2026-03-29T20:00:00Z')).toEqual([
      '2026-03-29T01:00:00.000Z for 60 min',
      '2026-03-29T12:30:00.000Z for 60 min',
    ]);
    expect(openings(windows, '2026-10-24T20:00:00Z', '2026-10-25T20:00:00Z')).toEqual([
      '2026-10-25T00:30:00.000Z for 60 min',
      '2026-10-25T13:30:00.000Z for 60 min',
    ]);
  });

  it('what opens every hour goes on every hour of real time', () => {
    const windows = [allow('30 * * * *', minute, 'Europe/Berlin')];
    for (const from of ['2026-03-29T00:00:00Z', '2026-10-25T00:00:00Z']) {
      const to = new Date(at(from) + 4 * hour).toISOString();
      expect(openings(windows, from, to)).toEqual(
        [0, 1, 2, 3].map((n) => `${new Date(at(from) + n * hour + 30 * minute).toISOString()} for 1 min`),
      );
    }
  });

  it('a window that is open over the change lasts its duration in real time', () => {
    const windows = [allow('0 22 * * *', 8 * hour, 'Europe/Berlin')];
    expect(openings(windows, '2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z')).toEqual([
      '2026-03-28T21:00:00.000Z for 480 min',
    ]);
    expect(openings(windows, '2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toEqual([
      '2026-10-24T20:00:00.000Z for 480 min',
    ]);
  });

  it('a day of twenty-five hours has one that a window of twenty-four does not cover', () => {
    const windows = [allow('0 0 * * *', 24 * hour, 'Europe/Berlin')];
    expect(ask({ windows }, '2026-07-01T12:00:00Z').until).toBe(at('2026-10-25T22:00:00Z'));
    expect(ask({ windows }, '2026-10-25T22:00:00Z')).toMatchObject({
      open: false,
      until: at('2026-10-25T23:00:00Z'),
    });
  });
});

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
