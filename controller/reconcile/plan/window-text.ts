import type { Freeze, Window } from '../../../shared/domain/policy.ts';

/** `freeze until 2 January 2027 00:00 UTC by ada: holidays`. */
export function freezeText({ until, author, reason }: Freeze): string {
  return `freeze until ${instantText(until)} by ${author}: ${reason}`;
}

export function deniedText(window: Window): string {
  return `denied window (${windowText(window)}) is open`;
}

/** A schedule that nobody can read might deny anything: nothing starts until a commit mends it. */
export function unreadableText(window: Window): string {
  return `window (${windowText(window)}) cannot be read: its schedule needs five fields of cron and an IANA time zone`;
}

/** `opens`: when an activation may start. */
export function outsideText(opens: number | undefined): string {
  const next =
    opens === undefined ? 'none opens in the next years' : `the next opens at ${instantText(opens)}`;
  return `outside every allowed window; ${next}`;
}

/** `0 9 * * 1-5 for 8h, Europe/Berlin`. */
function windowText({ schedule, durationMs, timeZone }: Window): string {
  return `${schedule} for ${durationText(durationMs)}, ${timeZone}`;
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
/** The last instant that a date can be made of. */
const endOfTime = 8_640_000_000_000_000;

/** `2 January 2027 00:00 UTC`: in one time zone, since an instant may concern hosts in many. */
export function instantText(at: number): string {
  const date = new Date(Math.min(at, endOfTime));
  const day = `${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  const [hour, minute] = [date.getUTCHours(), date.getUTCMinutes()].map((n) => String(n).padStart(2, '0'));
  return `${day} ${hour}:${minute} UTC`;
}

/** `8h`, `1h30m`, `45m`, `30s`: as a manifest has it. */
function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`);
  return said.length === 0 ? '0s' : said.join('');
}
