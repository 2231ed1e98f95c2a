import { z } from 'zod';
import { checks } from './manifest-schema-check.ts';
import { groupPolicy, hostPolicy, rollout, treatmentPolicy } from './manifest-schema-policy.ts';
import { freezes, windows } from './manifest-schema-time.ts';
import { address, duration, hostKey, labels, nameOf, port, user } from './manifest-words.ts';

/**
 * The shape of `varve.yaml` as people write it. Plain data without transforms, so that the JSON Schema for editors
 * says the same; `manifest.ts` resolves it into a fleet.
 */

const mode = z.enum(['switch', 'boot', 'test', 'dry-activate']).meta({
  description: 'What an activation does: the default `switch` activates now and at every boot.',
});

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

const hostKeys = z.array(hostKey).max(32).meta({
  description: "Accepted SSH host keys, `type base64`. Default: the service's known_hosts.",
});

/** A jump host: one of the fleet, by its name, or one that is in no fleet. */
export type WrittenJump =
  | string
  | {
      readonly address: string;
      readonly port?: number | undefined;
      readonly user?: string | undefined;
      readonly hostKeys?: readonly string[] | undefined;
      readonly jump?: WrittenJump | undefined;
    };

const jump: z.ZodType<WrittenJump> = z
  .union(
    [
      nameOf('a host'),
      z.strictObject({
        address: address.meta({ description: 'DNS name or IP address.' }),
        port: port.meta({ description: 'Default 22.' }).optional(),
        user: user.meta({ description: 'Default root.' }).optional(),
        hostKeys: hostKeys.optional(),
        jump: z.lazy(() => jump).optional(),
      }),
    ],
    {
      error:
        'a jump host is the name of a host, or an `address` with what else it takes to get there: `port`, `user`, ' +
        '`hostKeys`, `jump`',
    },
  )
  .meta({
    id: 'jump',
    description:
      'The host that connections go through: the name of one of the fleet, or how another is reached.',
  });

const host = z.strictObject({
  address: address.meta({ description: "DNS name or IP address. Default: the host's name." }).optional(),
  port: port.optional(),
  user: user.optional(),
  hostKeys: hostKeys.optional(),
  jump: jump
    .nullable()
    .meta({ description: 'Instead of the jump host in `defaults`; null: straight from the worker.' })
    .optional(),
  labels: labels.optional(),
  mode: mode.optional(),
  attribute: z
    .string()
    .max(128)
    .regex(attributeName, 'an attribute is made of letters, digits, `_`, `.` and `-`')
    .meta({ description: "Its configuration's name. Default: the host's name." })
    .optional(),
  checks: checks.meta({ description: 'Instead of the checks in `defaults` and of groups.' }).optional(),
  timeouts: timeouts.optional(),
  ...treatmentPolicy,
  ...hostPolicy,
});

const group = z
  .strictObject({
    ...groupPolicy,
    mode: mode.optional(),
    checks: checks.meta({ description: 'Instead of the checks in `defaults`.' }).optional(),
    timeouts: timeouts.optional(),
    ...treatmentPolicy,
  })
  .refine(({ select, hosts }) => (select === undefined) !== (hosts === undefined), {
    error: 'say which hosts are in the group: either `select` or `hosts`',
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
        jump: jump.optional(),
        mode: mode.optional(),
        checks: checks.optional(),
        timeouts: timeouts.optional(),
        ...treatmentPolicy,
      })
      .meta({ description: 'For every host that does not say otherwise.' })
      .optional(),
    groups: z
      .record(nameOf('a group'), group)
      .refine((groups) => Object.keys(groups).length <= 256, { error: 'at most 256 groups' })
      .meta({
        description:
          'Hosts with something in common. What a group says of its hosts stands above `defaults` and earlier groups.',
      })
      .optional(),
    rollout: rollout.optional(),
    windows: windows
      .meta({ description: 'When activations may start on hosts that have no windows of their own.' })
      .optional(),
    freezes: freezes.optional(),
    hosts: z
      .record(nameOf('a host'), host.nullable())
      .nullable()
      .meta({ description: 'The machines, by name. A name alone is enough.' })
      .optional(),
  })
  .meta({ title: 'varve.yaml', description: 'The hosts of a fleet and how Varve treats them.' });

export type WrittenManifest = z.infer<typeof manifestSchema>;
export type WrittenTimeouts = z.infer<typeof timeouts>;
export type WrittenHost = z.infer<typeof host>;
export type WrittenGroup = z.infer<typeof group>;

/** The JSON Schema of `varve.yaml`, for editors. */
export function manifestJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(manifestSchema, { io: 'input' });
}

/** What `docs/varve.schema.json` holds. */
export function renderedManifestJsonSchema(): string {
  return `${JSON.stringify(manifestJsonSchema(), undefined, 2)}\n`;
}
