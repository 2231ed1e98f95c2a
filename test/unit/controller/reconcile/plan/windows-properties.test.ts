import { Cron } from 'croner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayStart, type StartRules } from '../../../../../controller/reconcile/plan/windows.ts';
import type { FactOf } from '../../../../../shared/domain/facts.ts';
import type { Freeze, Scope, Window } from '../../../../../shared/domain/policy.ts';
import { host } from '../../../../support/builders.ts';
import { day, hour, minute } from '../../../../support/windows.ts';

const schedules = fc.constantFrom(
  '0 22 * * *',
  '30 2 * * *',
  '0,30 2-3 * * *',
  '*/20 * * * 6',
  '*/15 1-3 * * 0',
  '17 4 * * 1-5',
  '0 9 1,15 * *',
  '0 0 29 2 *',
  '0 0 31 2 *',
  '0 12 * 3,10 0',
);
const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
);
const lengths = fc.constantFrom(minute, 10 * minute, hour, 90 * minute, 8 * hour, 20 * hour);
const window: fc.Arbitrary<Window> = fc.record({
  kind: fc.constantFrom('allow', 'deny'),
  schedule: schedules,
  durationMs: lengths,
  timeZone: zones,
});

/** Around both changes of the clocks in 2026, to the millisecond and to the minute. */
const springs = Date.parse('2026-03-25T00:00:00Z');
const falls = Date.parse('2026-10-22T00:00:00Z');
const instants = fc
  .tuple(fc.constantFrom(springs, falls), fc.integer({ min: 0, max: 12 * day }), fc.boolean())
  .map(([from, after, round]) => from + (round ? Math.floor(after / minute) * minute : after));

const scopes = fc.constantFrom<Scope>({ kind: 'fleet' }, { kind: 'host', host: host('web1') });
const period = fc.tuple(instants, fc.integer({ min: 1, max: 3 * day }));
const freeze: fc.Arbitrary<Freeze> = fc
  .record({ period, scope: scopes, author: fc.constantFrom('ada', 'bob') })
  .map(({ period: [from, length], ...rest }) => ({ ...rest, from, until: from + length, reason: 'a test' }));
const override: fc.Arbitrary<FactOf<'override'>> = fc
  .record({ period, scope: scopes, by: fc.constantFrom('ada', 'bob') })
  .map(({ period: [at, length], ...rest }) => ({
    ...rest,
    kind: 'override',
    at,
    until: at + length,
    reason: 'a test',
  }));
const rules: fc.Arbitrary<StartRules> = fc.record({
  windows: fc.array(window, { maxLength: 4 }),
  freezes: fc.array(freeze, { maxLength: 3 }),
  overrides: fc.array(override, { maxLength: 2 }),
  member: fc.constant({ name: host('web1'), groups: [] }),
});

/** Whether a window is active, by going through its openings one by one. */
function isActive({ schedule, timeZone, durationMs }: Window, now: number): boolean {
  const cron = new Cron(schedule, { timezone: timeZone, mode: '5-part', fixedTimeRule: 'no-wildcard' });
  const from = now - durationMs;
  const first = cron.nextRun(new Date(Math.floor(from / 1_000) * 1_000));
  return first !== null && first.getTime() > from && first.getTime() <= now;
}

/** The truth table, without looking ahead. */
function isOpen({ windows, freezes, overrides }: StartRules, now: number): boolean {
  if (overrides.some(({ at, until }) => at <= now && now < until)) return true;
  if (freezes.some(({ from, until }) => from <= now && now < until)) return false;
  const active = windows.filter((one) => isActive(one, now));
  if (active.some(({ kind }) => kind === 'deny')) return false;
  return windows.every(({ kind }) => kind === 'deny') || active.length > 0;
}

const fewer = { numRuns: 30 };

describe('mayStart', () => {
  it('agrees with the truth table at every instant', () => {
    fc.assert(
      fc.property(rules, instants, (given, now) => {
        expect(mayStart(given, now).open).toBe(isOpen(given, now));
      }),
      { numRuns: 100 },
    );
  });

  it('says exactly when that next changes: not before, and then', () => {
    fc.assert(
      fc.property(
        rules,
        instants,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        (given, now, shares) => {
          const { open, until } = mayStart(given, now);
          if (until === undefined) {
            for (const share of shares) expect(isOpen(given, now + Math.floor(share * 60 * day))).toBe(open);
            return;
          }
          expect(until).toBeGreaterThan(now);
          expect(isOpen(given, until)).toBe(!open);
          expect(isOpen(given, until - 1)).toBe(open);
          for (const share of shares)
            expect(isOpen(given, now + Math.floor(share * (until - 1 - now)))).toBe(open);
          expect(mayStart(given, until - 1)).toMatchObject({ open, until });
        },
      ),
      fewer,
    );
  });

  it('answers the same in whatever order windows, freezes and overrides come', () => {
    const shuffled = rules.chain((given) =>
      fc
        .tuple(whole(given.windows), whole(given.freezes), whole(given.overrides))
        .map(([windows, freezes, overrides]) => ({
          given,
          other: { ...given, windows, freezes, overrides },
        })),
    );
    fc.assert(
      fc.property(shuffled, instants, ({ given, other }, now) => {
        expect(mayStart(other, now)).toEqual(mayStart(given, now));
      }),
      fewer,
    );
  });

  it('answers the same whatever it was asked before', () => {
    fc.assert(
      fc.property(rules, fc.array(instants, { minLength: 1, maxLength: 6 }), (given, asked) => {
        const fresh = () => ({ ...given, windows: [...given.windows] });
        const first = asked.map((now) => mayStart(fresh(), now));
        const again = fresh();
        expect(asked.map((now) => mayStart(again, now))).toEqual(first);
        expect(asked.toReversed().map((now) => mayStart(again, now))).toEqual(first.toReversed());
      }),
      fewer,
    );
  });
});

/** All of them, in any order. */
function whole<One>(these: readonly One[]): fc.Arbitrary<One[]> {
  return fc.shuffledSubarray([...these], { minLength: these.length, maxLength: these.length });
}
