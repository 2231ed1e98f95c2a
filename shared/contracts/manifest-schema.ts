import { isIP } from 'node:net';
import { z } from 'zod';

/**
 * The shape of `varve.yaml` as people write it. Plain data without transforms, so that the JSON Schema for editors
 * says the same; `manifest.ts` resolves it into a fleet.
 */

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

const duration = z
  .string({ error: 'write a duration with its unit, such as 500ms, 90s, 10m or 1h' })
  .regex(durationPattern, 'write a duration with its unit, such as 500ms, 90s, 10m or 1h')
  .refine((text) => !durationPattern.test(text) || durationMs(text) !== undefined, {
    error: 'a duration is at least 1ms and at most a week (168h)',
  });

const port = z
  .int('a port is a whole number from 1 to 65535')
  .min(1, 'a port is a whole number from 1 to 65535')
  .max(65_535, 'a port is a whole number from 1 to 65535');

const addressName = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const address = z.string().refine((text) => addressName.test(text) || isIP(text) !== 0, {
  error: 'an address is a DNS name or an IP address alone: no user, no port, no brackets',
});

const user = z
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

const hostKey = z.string().refine((text) => normalHostKey(text) !== undefined, {
  error:
    'a host key is `type base64` as in known_hosts without the host, such as `ssh-ed25519 AAAAC3…`; ' +
    '`varve host scan-key` prints it',
});

const label = z
  .string({ error: 'a label is text: put numbers, true and false in quotes' })
  .regex(/^[^\p{Cc}]{0,128}$/u, 'a label has at most 128 characters, all on one line');
const labels = z.record(
  z
    .string()
    .regex(
      /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/,
      'a label key is made of letters, digits, `.`, `_`, `/` and `-`',
    ),
  label,
);

const mode = z.enum(['switch', 'boot', 'test', 'dry-activate']).meta({
  description: 'What an activation does: the default `switch` activates now and at every boot.',
});

const unitTypes = 'service|socket|target|timer|mount|automount|path|swap|device|slice|scope';
const unit = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9:_.\\@-]*$/,
    'a unit is a systemd unit name, such as `nginx.service`, without a leading `-`',
  )
  .meta({
    description: 'A systemd unit that must be active; `.service` is added where no type is given.',
  });

/** A unit name with its type. */
export function unitWithType(name: string): string {
  return new RegExp(`\\.(${unitTypes})$`).test(name) ? name : `${name}.service`;
}

function isPlainHttpUrl(text: string): boolean {
  if (/[\s\p{Cc}]/u.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

const http = z
  .strictObject({
    url: z
      .string()
      .refine(isPlainHttpUrl, {
        error: 'a URL starts with http:// or https:// and has no user or password in it',
      })
      .optional(),
    port: port.optional(),
    path: z
      .string()
      .regex(/^\/[^\s\p{Cc}]*$/u, 'a path starts with `/` and has no spaces')
      .optional(),
    status: z.int().min(100).max(599).optional(),
    timeout: duration.optional(),
  })
  .refine((check) => (check.url === undefined) !== (check.port === undefined), {
    error: 'say either `url`, or `port` (with `path`) of the host itself',
  })
  .refine((check) => check.url === undefined || check.path === undefined, {
    error: '`path` goes with `port`; with `url`, write it into the URL',
  });

const check = z
  .strictObject({
    unit: unit.optional(),
    http: http.optional(),
    tcp: port.meta({ description: 'A port of the host that must accept a connection.' }).optional(),
    command: z
      .array(
        // The guard takes one line for each argument.
        z
          .string()
          .max(1_500, 'an argument is not longer than 1500 characters: put a script into the system')
          // oxlint-disable-next-line no-control-regex -- control characters are what is refused
          .regex(/^[^\u0000-\u001f\u007f]*$/, 'an argument is one line: put a script into the system'),
      )
      .min(1, 'a command names at least its program')
      .max(256)
      .meta({
        description: 'A program and its arguments, run on the host; must exit with 0. No shell.',
      })
      .optional(),
    timeout: duration.meta({ description: 'For `tcp` and `command`.' }).optional(),
  })
  .refine(
    (one) => [one.unit, one.http, one.tcp, one.command].filter((kind) => kind !== undefined).length === 1,
    { error: 'a check is exactly one of `unit`, `http`, `tcp`, `command`' },
  )
  .refine((one) => one.timeout === undefined || one.tcp !== undefined || one.command !== undefined, {
    error: '`timeout` goes beside `tcp` and `command`; for `http` it goes inside; `unit` has none',
  });

const checks = z.array(check).max(64);

const timeouts = z.strictObject({
  build: duration.meta({ description: 'Making the system valid on a worker. Default 1h.' }).optional(),
  push: duration.meta({ description: 'Copying it to the host. Default 30m.' }).optional(),
  activation: duration.meta({ description: 'The switch; then the host rolls back. Default 10m.' }).optional(),
  confirm: duration
    .meta({
      description: 'From the end of the switch to its confirmation; then the host rolls back. Default 60s.',
    })
    .optional(),
  settle: duration
    .meta({ description: 'How long units are watched after the switch. Default 10s.' })
    .optional(),
});

const relativeFolder = z
  .string()
  .regex(
    /^(\.|(\.\/)?[A-Za-z0-9_.+][A-Za-z0-9_.+-]*(\/[A-Za-z0-9_.+][A-Za-z0-9_.+-]*)*\/?)$/,
    'a folder is relative to the top of the repository, made of letters, digits, `.`, `_`, `+`, `-` and `/`',
  )
  .refine((text) => !text.split('/').includes('..'), {
    error: 'a folder stays inside the repository: no `..`',
  });

const attributeName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

const host = z.strictObject({
  address: address.meta({ description: "DNS name or IP address. Default: the host's name." }).optional(),
  port: port.optional(),
  user: user.optional(),
  hostKeys: z
    .array(hostKey)
    .max(32)
    .meta({
      description: "Accepted SSH host keys, `type base64`. Default: the service's known_hosts.",
    })
    .optional(),
  labels: labels.optional(),
  mode: mode.optional(),
  attribute: z
    .string()
    .max(128)
    .regex(attributeName, 'an attribute is made of letters, digits, `_`, `.` and `-`')
    .meta({ description: "Its configuration's name. Default: the host's name." })
    .optional(),
  checks: checks.meta({ description: 'Instead of the checks in `defaults`.' }).optional(),
  timeouts: timeouts.optional(),
});

export const manifestSchema = z
  .strictObject({
    version: z.literal(1, { error: 'this Varve reads version 1' }).optional(),
    flake: z
      .strictObject({
        folder: relativeFolder.meta({ description: 'The folder of flake.nix. Default `.`.' }).optional(),
        attribute: z
          .string()
          .max(128)
          .regex(
            /^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$/,
            'an attribute is a dotted Nix attribute path',
          )
          .meta({ description: 'The set of configurations. Default `nixosConfigurations`.' })
          .optional(),
      })
      .optional(),
    adopt: z
      .enum(['manual', 'auto'])
      .meta({
        description:
          'What happens to a host that has no owner yet. Default `manual`: wait for `varve adopt`.',
      })
      .optional(),
    defaults: z
      .strictObject({
        user: user.optional(),
        port: port.optional(),
        mode: mode.optional(),
        checks: checks.optional(),
        timeouts: timeouts.optional(),
      })
      .meta({ description: 'For every host that does not say otherwise.' })
      .optional(),
    hosts: z
      .record(
        z
          .string()
          .regex(
            /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
            'a host name is 1 to 63 lower-case letters, digits and inner hyphens, starting and ending with a letter or digit',
          ),
        host.nullable(),
      )
      .nullable()
      .meta({ description: 'The machines, by name. A name alone is enough.' })
      .optional(),
  })
  .meta({ title: 'varve.yaml', description: 'The hosts of a fleet and how Varve treats them.' });

export type WrittenManifest = z.infer<typeof manifestSchema>;
export type WrittenCheck = z.infer<typeof check>;
export type WrittenTimeouts = z.infer<typeof timeouts>;

/** The JSON Schema of `varve.yaml`, for editors. */
export function manifestJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(manifestSchema, { io: 'input' });
}

/** What `docs/varve.schema.json` holds. */
export function renderedManifestJsonSchema(): string {
  return `${JSON.stringify(manifestJsonSchema(), undefined, 2)}\n`;
}
