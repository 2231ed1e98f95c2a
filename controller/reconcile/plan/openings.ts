import { Cron } from 'croner';
import type { Window } from '../../../shared/domain/policy.ts';

/** A window is active, or is not, from one instant until at least another. */
export interface Span {
  readonly active: boolean;
  readonly from: number;
  /** `undefined`: for ever. */
  readonly until: number | undefined;
}

/** A window's openings, with the span that was asked for last: a pass asks ten thousand times for the same. */
interface Openings {
  readonly cron: Cron | undefined;
  last: Span | undefined;
}

/** By everything that says when a window is active; windows are parsed anew with every observation. */
const known = new Map<string, Openings>();
const mostKnown = 1_000;

/** The Gregorian calendar, weekdays included, repeats itself after so many days: four hundred years. */
const cycleMs = 146_097 * 24 * 3_600_000;
/** croner ends its search with the year 3000. What lies beyond this is looked up in the cycle before. */
const farFuture = Date.UTC(2500, 0, 1);

/**
 * Whether a window is active at a time. It opens when its schedule says, stays open for its duration in real time,
 * and a second opening meanwhile only makes that longer. `undefined`: nobody can read its schedule or its time zone.
 */
export function spanAt(window: Window, at: number): Span | undefined {
  const openings = openingsOf(window);
  const { cron, last } = openings;
  if (cron === undefined) return undefined;
  if (last !== undefined && last.from <= at && at < (last.until ?? Infinity)) return last;
  openings.last = lookUp(cron, window.durationMs, at);
  return openings.last;
}

function lookUp(cron: Cron, durationMs: number, at: number): Span {
  const opened = newestUpTo(cron, at);
  if (opened !== undefined && opened + durationMs > at) {
    return { active: true, from: opened, until: opened + durationMs };
  }
  return { active: false, from: at, until: firstAfter(cron, at) };
}

function firstAfter(cron: Cron, at: number): number | undefined {
  const past = cyclesPast(at);
  const next = cron.nextRun(new Date(at - past));
  return next === null ? undefined : next.getTime() + past;
}

function newestUpTo(cron: Cron, at: number): number | undefined {
  const past = cyclesPast(at);
  // croner counts whole seconds, and looks for what is before the one that it is given.
  const nextSecond = Math.floor((at - past) / 1_000) * 1_000 + 1_000;
  const newest = cron.previousRuns(1, new Date(nextSecond))[0];
  return newest === undefined ? undefined : newest.getTime() + past;
}

function cyclesPast(at: number): number {
  return at < farFuture ? 0 : Math.ceil((at - farFuture + 1) / cycleMs) * cycleMs;
}

function openingsOf({ schedule, timeZone, durationMs }: Window): Openings {
  const key = `${durationMs} ${timeZone} ${schedule}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  if (known.size >= mostKnown) known.clear();
  const openings: Openings = { cron: cronOf(schedule, timeZone), last: undefined };
  known.set(key, openings);
  return openings;
}

function cronOf(schedule: string, timeZone: string): Cron | undefined {
  // croner would also take a date or a nickname, and no time zone for that of this machine.
  if (schedule.trim().split(/\s+/).length !== 5 || timeZone === '') return undefined;
  try {
    const cron = new Cron(schedule, {
      timezone: timeZone,
      mode: '5-part',
      // What names its hours opens once a day: at the end of an hour that is skipped, in the first of one that is
      // doubled. What opens every so often goes by real time.
      fixedTimeRule: 'no-wildcard',
    });
    // Whether there is such a time zone is found out with the first question.
    cron.nextRun(new Date(0));
    return cron;
  } catch {
    return undefined;
  }
}
