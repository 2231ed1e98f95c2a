import { z } from 'zod';
import { parseCachePlace } from './service-config-cache.ts';

/** A secret is never written into the configuration: it is in a file, or in an environment variable. */
const SecretRef = z
  .strictObject({ file: z.string().min(1).optional(), env: z.string().min(1).optional() })
  .refine((ref) => (ref.file === undefined) !== (ref.env === undefined), 'give either `file` or `env`');

const Seconds = z.number().positive().max(86_400);
const Name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'use lower-case letters, digits and hyphens');

/** A branch, as Git allows it, without what an argument or a pattern could make of it. */
const Ref = z
  .string()
  .regex(/^(?!-)(?!.*(\.\.|@\{|\/\/|\/\.|\.lock$|\/$))[A-Za-z0-9._/+@-]{1,200}$/, 'not the name of a branch');

const RepositoryUrl = z.string().superRefine((text, context) => {
  const complain = (message: string): void => {
    context.addIssue({ code: 'custom', message });
  };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    if (!URL.canParse(text)) return complain('not a URL');
    const url = new URL(text);
    if (!['http:', 'https:', 'ssh:', 'file:'].includes(url.protocol)) {
      return complain('use https, ssh, http or file');
    }
    if (url.password !== '' || (url.protocol.startsWith('http') && url.username !== '')) {
      return complain('credentials do not belong into the URL: use `credentials` with a file or a variable');
    }
    return;
  }
  if (text.startsWith('/') || /^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^-].*$/.test(text)) return;
  complain('use a URL (https, ssh, http, file), user@host:path, or an absolute path');
});

const Credentials = z
  .strictObject({
    username: z.string().min(1).default('varve'),
    file: z.string().min(1).optional(),
    env: z.string().min(1).optional(),
  })
  .refine((ref) => (ref.file === undefined) !== (ref.env === undefined), 'give either `file` or `env`');

const CacheUrl = z.string().superRefine((text, context) => {
  const place = parseCachePlace(text);
  if (place.kind === 'wrong') context.addIssue({ code: 'custom', message: place.why });
});

const SshAccess = z.strictObject({
  identity: z.string().min(1).optional(),
  knownHosts: z.string().min(1).optional(),
});

const Remote = z.strictObject({
  url: RepositoryUrl,
  credentials: Credentials.optional(),
  ssh: SshAccess.optional(),
});

const ApiToken = z
  .strictObject({
    name: Name,
    right: z.enum(['read', 'operate', 'admin']).default('read'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'the SHA-256 of the token in lower-case hex')
      .optional(),
    file: z.string().min(1).optional(),
    env: z.string().min(1).optional(),
  })
  .refine(
    (token) => [token.sha256, token.file, token.env].filter((way) => way !== undefined).length === 1,
    'give one of `sha256`, `file`, `env`',
  );

const Count = z.int().min(1).max(1_000);

/** What a person may write: one file for controller and worker, every key optional where there is a default. */
export const WrittenServiceConfig = z.strictObject({
  repository: z
    .strictObject({
      url: RepositoryUrl.optional(),
      ref: Ref.default('main'),
      credentials: Credentials.optional(),
      ssh: SshAccess.optional(),
      pollIntervalSeconds: Seconds.default(60),
      onRewrite: z.enum(['follow', 'hold']).default('follow'),
    })
    .prefault({}),
  /** Fleets of different names may share a Redis. */
  fleet: Name.default('default'),
  // Nix takes what it gives to ssh apart at blanks.
  dataDir: z
    .string()
    .regex(/^\/\S*$/, 'an absolute path without blanks')
    .default('/var/lib/varve'),
  listen: z
    .strictObject({
      address: z.string().min(1).default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(7_420),
    })
    .prefault({}),
  publicUrl: z.url({ protocol: /^https?$/ }).optional(),
  hostNames: z.array(z.string().min(1)).default([]),
  api: z
    .strictObject({
      tokens: z.array(ApiToken).default([]),
      loopbackWithoutToken: z.boolean().optional(),
    })
    .prefault({}),
  webhooks: z
    .record(
      Name,
      z.strictObject({
        secrets: z.array(SecretRef).min(1),
        repositories: z.array(z.string().min(1)).default([]),
      }),
    )
    .default({}),
  redis: z
    .strictObject({
      url: z.url({ protocol: /^rediss?$/ }).optional(),
      socket: z.string().regex(/^\//, 'an absolute path').optional(),
      password: SecretRef.optional(),
    })
    .refine((redis) => redis.url === undefined || redis.socket === undefined, 'give either `url` or `socket`')
    .prefault({}),
  ledger: z.strictObject({ remote: Remote.optional() }).prefault({}),
  internalToken: SecretRef.optional(),
  probe: z.strictObject({ intervalSeconds: Seconds.default(300) }).prefault({}),
  lease: z.strictObject({ ttlSeconds: Seconds.default(15) }).prefault({}),
  worker: z
    .strictObject({
      controllerUrl: z.url({ protocol: /^https?$/ }).optional(),
      identities: z.array(z.string().min(1)).default([]),
      knownHosts: z.string().min(1).optional(),
      concurrency: z
        .strictObject({
          evaluate: Count.default(1),
          deliver: Count.default(4),
          activate: Count.default(32),
          probe: Count.default(16),
        })
        .prefault({}),
      // A worker that was silent for so long is taken for dead, and its jobs are given to others. Less than the window
      // in which activations are confirmed: another worker can then still confirm what the dead one began.
      lostAfterSeconds: Seconds.default(20),
      evaluation: z
        .strictObject({
          timeoutSeconds: Seconds.default(1_800),
          // Of all processes of one evaluation together. Absent: three quarters of what is free, shared between those
          // that may run at once.
          memoryMiB: z.int().min(64).max(1_048_576).optional(),
        })
        .prefault({}),
      push: z
        .strictObject({
          // Compressed closures on the disk, for all hosts that lack them. Those used longest ago go first.
          archivesMiB: z.int().min(64).max(16_777_216).default(10_240),
          // A secret key in Nix's format: what is pushed is signed with it.
          signingKey: z.string().min(1).optional(),
        })
        .prefault({}),
      // Closures for others to fetch, signed with `push.signingKey`.
      cache: z
        .strictObject({
          // A binary cache over HTTP: whoever reaches the address can read the closures of all hosts. Absent: none.
          listen: z
            .strictObject({
              address: z.string().min(1),
              port: z.int().min(0).max(65_535).default(7_421),
            })
            .optional(),
          // Where workers publish closures for hosts with `transport: cache`. Absent: they are pushed.
          publish: z.strictObject({ url: CacheUrl, credentials: Credentials.optional() }).optional(),
        })
        .prefault({}),
      // Checks in `varve.yaml` name these, and cannot define any: what runs here is said here.
      commands: z
        .record(
          Name,
          z.strictObject({
            argv: z.tuple([z.string().min(1)], z.string()),
            // Of the command, however long a check would let it run.
            timeoutSeconds: Seconds.default(60),
          }),
        )
        .default({}),
      nix: z
        .strictObject({
          settings: z
            .record(z.string().regex(/^[a-z][a-z0-9-]*$/, 'not the name of a Nix setting'), z.string())
            .default({}),
        })
        .prefault({}),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
});
export type WrittenServiceConfig = z.output<typeof WrittenServiceConfig>;
