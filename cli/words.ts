/** Small facts in few letters, for tables and lines that people read. */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** `850 ms`, `2.3 s`, `1 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < second) return `${Math.round(ms)} ms`;
  if (ms < 10 * second) return `${(ms / second).toFixed(1)} s`;
  if (ms < minute) return `${Math.round(ms / second)} s`;
  if (ms < hour) return pair(ms, minute, 'min', second, 's');
  if (ms < day) return pair(ms, hour, 'h', minute, 'min');
  return pair(ms, day, 'd', hour, 'h');
}

function pair(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const whole = Math.floor(ms / big);
  const rest = Math.floor((ms % big) / small);
  return rest === 0 ? `${whole} ${bigName}` : `${whole} ${bigName} ${rest} ${smallName}`;
}

/** `just now`, `12 s ago`, `5 min ago`; one unit is enough. */
export function ago(at: number, now: number): string {
  const ms = now - at;
  if (ms < 2 * second) return 'just now';
  return `${coarse(ms)} ago`;
}

/** `in 40 s`, `in 2 h`; `now` when it is past. */
export function until(at: number, now: number): string {
  return at <= now ? 'now' : `in ${coarse(at - now)}`;
}

function coarse(ms: number): string {
  if (ms < minute) return `${Math.max(1, Math.floor(ms / second))} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} min`;
  if (ms < 2 * day) return `${Math.floor(ms / hour)} h`;
  return `${Math.floor(ms / day)} d`;
}

/** `2026-11-22 12:00:00`, in the reader's time zone. */
export function clockTime(at: number): string {
  const date = new Date(at - new Date(at).getTimezoneOffset() * minute);
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

/** `0 B`, `34 KiB`, `1.2 GiB`. */
export function bytes(count: number): string {
  const sign = count < 0 ? '-' : '';
  let size = Math.abs(count);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${sign}${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** The first ten digits: enough to tell revisions apart, and every command takes them. */
export function shortRevision(revision: string): string {
  return revision.slice(0, 10);
}

/** `abcdefg…-nixos-system-web1`: the name, and enough of the hash to compare. */
export function shortPath(storePath: string): string {
  const match = /^\/nix\/store\/([0-9a-z]{7})[0-9a-z]*-(.+)$/.exec(storePath);
  return match === null ? storePath : `${match[1]}-${match[2]}`;
}

/** `1 host`, `3 hosts`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
