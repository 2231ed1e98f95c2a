import { FleetError } from '../shared/domain/errors.ts';

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `5m`, `1h30m`, `2d`; a bare number is seconds. In milliseconds. @throws FleetError INVALID_INPUT */
export function parseDuration(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const pieces = [...text.matchAll(/(\d{1,9})(ms|min|s|m|h|d)/gy)];
  const whole = pieces.map(([piece]) => piece).join('') === text && pieces.length > 0;
  if (!whole) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `${JSON.stringify(text.slice(0, 40))} is not a length of time`,
      hint: 'write 90s, 5m, 1h30m or 2d',
    });
  }
  return pieces.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0);
}
