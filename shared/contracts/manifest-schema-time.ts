import { Cron } from 'croner';
import { z } from 'zod';
import { duration, line, nameOf } from './manifest-words.ts';
import { nearest } from './nearest.ts';

/** When a fleet is moved, as people write it: windows and freezes. As in `manifest-schema-policy.ts`, plain data. */

function isCron(text: string): boolean {
  // Five fields exactly: the parser itself would take seconds, years, dates and names such as @daily too.
  if (text.length > 200 || !/^[^\s:]+( +[^\s:]+){4}$/.test(text)) return false;
  try {
    return new Cron(text, { mode: '5-part', paused: true }).getPattern() === text;
  } catch {
    return false;
  }
}

function isTimeZone(name: string): boolean {
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // An offset is none: it knows no summer time, and not every runtime takes it.
    return /^[A-Za-z]/.test(name) && known.timeZone !== '';
  } catch {
    return false;
  }
}

function zoneHint(input: unknown): string {
  const meant = typeof input === 'string' ? nearest(input, Intl.supportedValuesOf('timeZone')) : undefined;
  return `unknown time zone; ${meant === undefined ? 'write one such as Europe/Berlin or UTC' : `did you mean \`${meant}\`?`}`;
}

const schedule = z.string().refine(isCron, {
  error:
    'write when it opens as cron does, in five fields: minute, hour, day of the month, month, day of the week, such as "0 22 * * 1-5"',
});

export const window = z
  .strictObject({
    allow: schedule.meta({ description: 'Activations may start from then on.' }).optional(),
    deny: schedule.meta({ description: 'No activation starts from then on.' }).optional(),
    for: duration.meta({ description: 'How long it stays open, at most a week.' }),
    timeZone: z
      .string()
      .refine(isTimeZone, { error: ({ input }) => zoneHint(input) })
      .meta({ description: 'An IANA time zone. Default UTC.' })
      .optional(),
  })
  .refine(({ allow, deny }) => (allow === undefined) !== (deny === undefined), {
    error: 'a window is either `allow` or `deny`',
  });

export const windows = z
  .array(window)
  .max(64)
  .meta({ description: 'When activations may start; where one denies and another allows, it is denied.' });

const instant = z.iso.datetime({
  offset: true,
  error: 'write an instant with its zone, such as 2026-12-20T00:00:00Z',
});

export const freezes = z
  .array(
    z
      .strictObject({
        from: instant,
        until: instant,
        reason: line,
        author: line,
        group: nameOf('a group').optional(),
        host: nameOf('a host').optional(),
      })
      .refine(({ from, until }) => Date.parse(from) < Date.parse(until), {
        path: ['until'],
        error: '`until` is not after `from`',
      })
      .refine(({ group, host }) => group === undefined || host === undefined, {
        error: 'a freeze is of a `host`, of a `group`, or of neither: then of the fleet',
      }),
  )
  .max(256)
  .meta({ description: 'Once, between two instants, no activation starts.' });

export type WrittenWindow = z.infer<typeof window>;
export type WrittenFreeze = z.infer<typeof freezes>[number];
