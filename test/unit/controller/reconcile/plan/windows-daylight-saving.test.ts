import { describe, expect, it } from 'vitest';
import { allow, ask, at, hour, minute, openings } from '../../../../support/windows.ts';

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

  it('what opens every quarter of one hour opens in both of a doubled one, and not in a skipped one', () => {
    const windows = [allow('*/15 2 * * *', minute, 'Europe/Berlin')];
    expect(openings(windows, '2026-10-24T20:00:00Z', '2026-10-25T20:00:00Z')).toHaveLength(8);
    expect(openings(windows, '2026-03-28T20:00:00Z', '2026-03-29T20:00:00Z')).toHaveLength(0);
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
