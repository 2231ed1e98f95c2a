import { z } from 'zod';
import { commandLine, duration, port } from './manifest-words.ts';

/** Health checks as they are written in `varve.yaml`. */

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

const httpUrl = z.string().refine(isPlainHttpUrl, {
  error: 'a URL starts with http:// or https:// and has no user or password in it',
});

const http = z
  .strictObject({
    url: httpUrl.optional(),
    port: port.optional(),
    path: z
      .string()
      .regex(/^\/[^\s\p{Cc}]*$/u, 'a path starts with `/` and has no spaces')
      .optional(),
    status: z.int().min(100).max(599).optional(),
  })
  .refine((check) => (check.url === undefined) !== (check.port === undefined), {
    error: 'say either `url`, or `port` (with `path`) of the host itself',
  })
  .refine((check) => check.url === undefined || check.path === undefined, {
    error: '`path` goes with `port`; with `url`, write it into the URL',
  })
  .meta({ description: 'A page that must answer with the status, 200 unless said otherwise.' });

const command = commandLine.meta({
  description: 'A program and its arguments, run on the host; must exit with 0. No shell.',
});

const prometheus = z
  .strictObject({
    url: httpUrl
      .refine((text) => !/[?#]/.test(text), { error: 'the URL of the server alone, without a query' })
      .meta({ description: 'The server, without `/api`.' }),
    query: z.string().min(1).max(4_096),
    above: z.number().optional(),
    below: z.number().optional(),
    equals: z.number().optional(),
  })
  .refine((query) => [query.above, query.below, query.equals].some((bound) => bound !== undefined), {
    error: 'say what every value must be: `above`, `below` or `equals`',
  })
  .meta({
    description: 'An instant query that must have values, and each of them within the bounds.',
  });

const kinds = ['unit', 'http', 'tcp', 'command', 'worker', 'prometheus'] as const;

export const check = z
  .strictObject({
    unit: unit.optional(),
    http: http.optional(),
    tcp: port.meta({ description: 'A port of the host that must accept a connection.' }).optional(),
    command: command.optional(),
    worker: z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
        'the name of a command in the service configuration: lower-case letters, digits and hyphens',
      )
      .meta({ description: 'A command that the service configuration has under `worker.commands`.' })
      .optional(),
    prometheus: prometheus.optional(),
    interval: duration.meta({ description: 'Between two tries. Default 1s.' }).optional(),
    timeout: duration.meta({ description: 'Of one try. Default 10s.' }).optional(),
    successes: z
      .int()
      .min(1, 'a check passes at least once')
      .max(100, 'at most 100 times')
      .meta({ description: 'How often in a row it must pass. Default 1.' })
      .optional(),
    before: z
      .boolean()
      .meta({
        description:
          'Ask before an activation instead of after it: while it fails, the host is left alone. Default false.',
      })
      .optional(),
  })
  .refine((one) => kinds.filter((kind) => one[kind] !== undefined).length === 1, {
    error: 'a check is exactly one of `unit`, `http`, `tcp`, `command`, `worker`, `prometheus`',
  });

export const checks = z.array(check).max(64);

export type WrittenCheck = z.infer<typeof check>;
