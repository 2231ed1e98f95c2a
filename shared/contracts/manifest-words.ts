import { isIP } from 'node:net';
import { z } from 'zod';

/** The small forms that `varve.yaml` is written in: durations, names, keys, labels, amounts. */

const durationPattern = /^[0-9]+(\.[0-9]+)?(ms|s|m|h)$/;
/** A week: whatever is longer is a typing error. */
const longestMs = 7 * 24 * 3_600_000;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `500ms`, `90s`, `10m`, `1.5h`; `undefined` for anything else, zero, or more than a week. */
export function durationMs(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  const unit = text.endsWith('ms') ? 'ms' : text.endsWith('s') ? 's' : text.endsWith('m') ? 'm' : 'h';
  const ms = Math.round(Number(text.slice(0, -unit.length)) * unitMs[unit]);
  return ms >= 1 && ms <= longestMs ? ms : undefined;
}

/** Milliseconds of a duration that was checked before, or of none. */
export function msOf(text: string | undefined, otherwise: number): number {
  return (text === undefined ? undefined : durationMs(text)) ?? otherwise;
}

export const duration = z
  .string({ error: 'write a duration with its unit, such as 500ms, 90s, 10m or 1h' })
  .regex(durationPattern, 'write a duration with its unit, such as 500ms, 90s, 10m or 1h')
  .refine((text) => !durationPattern.test(text) || durationMs(text) !== undefined, {
    error: 'a duration is at least 1ms and at most a week (168h)',
  });

export const port = z
  .int('a port is a whole number from 1 to 65535')
  .min(1, 'a port is a whole number from 1 to 65535')
  .max(65_535, 'a port is a whole number from 1 to 65535');

const addressName = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
export const address = z.string().refine((text) => addressName.test(text) || isIP(text) !== 0, {
  error: 'an address is a DNS name or an IP address alone: no user, no port, no brackets',
});

export const user = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/,
    'a user name is made of letters, digits, `_`, `.` and `-`, and does not start with `-`',
  );

const keyTypes = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]);

/** `type base64` of a host key line (a comment after it is dropped); `undefined` unless the blob is of that type. */
export function normalHostKey(text: string): string | undefined {
  const match = /^([a-z0-9@.-]+) ([A-Za-z0-9+/]+={0,2})( [^\p{Cc}]*)?$/u.exec(text);
  const type = match?.[1];
  const blob = match?.[2];
  if (type === undefined || blob === undefined || !keyTypes.has(type)) return undefined;
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.toString('base64') !== blob || bytes.length < 4) return undefined;
  // The blob repeats its type, length first: a key that was pasted in half, or under another type, shows here.
  const length = bytes.readUInt32BE(0);
  if (bytes.subarray(4, 4 + length).toString('latin1') !== type || bytes.length <= 4 + length)
    return undefined;
  return `${type} ${blob}`;
}

export const hostKey = z.string().refine((text) => normalHostKey(text) !== undefined, {
  error:
    'a host key is `type base64` as in known_hosts without the host, such as `ssh-ed25519 AAAAC3…`; ' +
    '`varve host scan-key` prints it',
});

export const label = z
  .string({ error: 'a label is text: put numbers, true and false in quotes' })
  .regex(/^[^\p{Cc}]{0,128}$/u, 'a label has at most 128 characters, all on one line');
/** The key of a label. */
export const labelKey = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/,
    'a label key is made of letters, digits, `.`, `_`, `/` and `-`',
  );
export const labels = z.record(labelKey, label);

/** A name of a host, a group or a wave: safe as an argument and as a key. */
export function nameOf(what: 'a host' | 'a group' | 'a wave') {
  return z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      `${what} name is 1 to 63 lower-case letters, digits and inner hyphens, starting and ending with a letter or digit`,
    );
}

/** Text of people, for people. */
export const line = z.string().regex(/^[^\p{Cc}]{1,200}$/u, 'write 1 to 200 characters, all on one line');

/** In bytes, as the guard counts. */
const longestArgument = 1_500;
const argumentTooLong = 'an argument is not longer than 1500 bytes: put a script into the system';

/** A program and its arguments, for a host. */
export const commandLine = z
  .array(
    // The guard takes one line for each argument.
    z
      .string()
      .max(longestArgument, argumentTooLong)
      .refine((text) => Buffer.byteLength(text) <= longestArgument, argumentTooLong)
      // oxlint-disable-next-line no-control-regex -- control characters are what is refused
      .regex(/^[^\u0000-\u001f\u007f]*$/, 'an argument is one line: put a script into the system'),
  )
  .min(1, 'a command names at least its program')
  .max(256);

const percentPattern = /^([1-9][0-9]?|100)%$/;
const amountForm = 'write a number of hosts, at least 1, or a share from 1% to 100%, such as 25%';

/** A number of hosts or a share of them; what zero of them would mean is said where it is written. */
export function amountOf(whenZero: string) {
  const refusal = (input: unknown): string => (input === 0 || input === '0%' ? whenZero : amountForm);
  return z.union(
    [
      z.int().min(1, { error: ({ input }) => refusal(input) }),
      z.string().regex(percentPattern, { error: ({ input }) => refusal(input) }),
    ],
    { error: ({ input }) => refusal(input) },
  );
}
