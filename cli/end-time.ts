import { FleetError } from '../shared/domain/errors.ts';
import { parseDuration } from './parse-duration.ts';

/** When something is to end, as the options say it: `--for 2h`, or `--until 2026-11-27T18:00`. */
export interface EndOptions {
  readonly for: string | undefined;
  readonly until: string | undefined;
}

/** In milliseconds since the epoch; `undefined` where nothing was said. @throws FleetError INVALID_INPUT */
export function endOf(options: EndOptions, now: number): number | undefined {
  if (options.for !== undefined && options.until !== undefined) {
    throw invalid('--for and --until are two ways to say the same', 'give one of them');
  }
  if (options.for !== undefined) return Math.round(now + parseDuration(options.for));
  return options.until === undefined ? undefined : parseTime(options.until, now);
}

/** A time of a day, by the reader's own clock where it names no time zone. */
function parseTime(text: string, now: number): number {
  const isTime = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?$/.test(text);
  const at = isTime ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (Number.isNaN(at)) {
    throw invalid(
      `${JSON.stringify(text.slice(0, 40))} is not a time`,
      'write 2026-11-27T18:00, with Z or +01:00 behind it for another time zone than yours; or --for 2h',
    );
  }
  if (at <= now) throw invalid(`${text} is past`, 'give a time to come, or --for 2h');
  return at;
}

function invalid(message: string, hint: string): FleetError {
  return new FleetError({ code: 'INVALID_INPUT', disposition: 'stalled', message, hint });
}
