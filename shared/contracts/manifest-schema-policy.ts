import { z } from 'zod';
import { windows } from './manifest-schema-time.ts';
import { amountOf, commandLine, duration, label, labelKey, nameOf } from './manifest-words.ts';

/**
 * How a fleet is moved, as people write it: groups, waves, and what each host may say of them. As in `manifest-schema.ts`,
 * plain data; names that must exist are looked up in `manifest-references.ts`.
 */

const select = z
  .record(
    labelKey,
    z.union([label, z.array(label).min(1, 'name at least one value')], {
      error: 'a label to select by is text, or a list of texts of which one must be it',
    }),
  )
  .refine((labels) => Object.keys(labels).length > 0, { error: 'select by at least one label' })
  .meta({ description: 'Hosts that have all of these labels; of a list, one value is enough.' });

const listedHosts = z.array(nameOf('a host')).max(20_000);
const listedGroups = z.array(nameOf('a group')).max(256);

const maxUnavailable = amountOf(
  'with 0 no host could ever be updated: write at least 1; to stop everything, use a freeze or `varve suspend`',
).meta({ description: 'So many hosts, or a share such as 25%, may be in work or unhealthy at once.' });

const after = z.array(nameOf('a host')).max(256).meta({
  description:
    'Hosts or groups that go before it: one that failed stops it, unless `onFailure` is `continue`.',
});

const approval = z.boolean().meta({ description: 'Wait for `varve approve`, release by release.' });

const hook = z
  .strictObject({
    command: commandLine
      .meta({ description: 'A program and its arguments, run on the host; must exit with 0. No shell.' })
      .optional(),
    workerCommand: z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
        'a worker command is named by lower-case letters, digits and inner hyphens',
      )
      .meta({ description: 'A command that the service configuration has under `worker.commands`.' })
      .optional(),
    timeout: duration.meta({ description: 'Default 5m.' }).optional(),
  })
  .refine(({ command, workerCommand }) => (command === undefined) !== (workerCommand === undefined), {
    error: 'say either `command` or `workerCommand`',
  });

const reboot = z.strictObject({
  when: z
    .enum(['never', 'window', 'after-deploy'])
    .meta({ description: 'When a host that needs a reboot gets it. Default `never`.' })
    .optional(),
  deadline: duration
    .meta({ description: 'From the order to reboot until it is back and healthy. Default 10m.' })
    .optional(),
  drain: hook.meta({ description: 'Before the reboot; if it fails, there is none.' }).optional(),
  undrain: hook.meta({ description: 'After the host is back and healthy.' }).optional(),
});

const retention = z.strictObject({
  keep: z
    .int()
    .min(1, 'keep at least 1 generation')
    .max(10_000)
    .meta({ description: 'Profile generations that stay, besides those that are needed. Default 10.' })
    .optional(),
  collectGarbage: z
    .boolean()
    .meta({ description: 'Run `nix-collect-garbage` there afterwards, inside a window. Default false.' })
    .optional(),
});

/** What `defaults`, groups and hosts may all say. */
export const treatmentPolicy = {
  unitFailures: z
    .enum(['new', 'any', 'ignore'])
    .meta({
      description: 'Which failed units make a switch a failure. Default `new`: those that had not failed.',
    })
    .optional(),
  transport: z
    .enum(['push', 'cache'])
    .meta({
      description:
        "How a closure gets to a host. Default `push`. `cache`: it is published to the service configuration's cache, and fetched from there; the rest is pushed.",
    })
    .optional(),
  substituteOnHost: z
    .boolean()
    .meta({
      description:
        'The host first fetches what its own substituters have; the rest is pushed. Default false.',
    })
    .optional(),
  reboot: reboot.optional(),
  drift: z
    .enum(['report', 'heal'])
    .meta({ description: 'What happens to a system that nobody wanted there. Default `report`.' })
    .optional(),
  retention: retention.optional(),
};

/** What only a group says; with the treatment of its hosts it is one. */
export const groupPolicy = {
  select: select.optional(),
  hosts: listedHosts.optional(),
  maxUnavailable: maxUnavailable.optional(),
  after: after.optional(),
  approval: approval.optional(),
  windows: windows.optional(),
};

/** What only a host says. */
export const hostPolicy = {
  after: after.optional(),
  windows: windows.meta({ description: 'Instead of those of its groups and of the fleet.' }).optional(),
  runsVarve: z
    .boolean()
    .meta({ description: "Varve's own controller, worker or Redis runs there: it goes last, and alone." })
    .optional(),
};

const wave = z
  .strictObject({
    name: nameOf('a wave'),
    select: select.optional(),
    hosts: listedHosts.optional(),
    groups: listedGroups.optional(),
    maxUnavailable: maxUnavailable.optional(),
    soak: duration
      .meta({
        description: 'How long it must stay healthy before the next wave begins. Default: not at all.',
      })
      .optional(),
    approval: approval.optional(),
  })
  .refine((one) => [one.select, one.hosts, one.groups].filter((way) => way !== undefined).length <= 1, {
    error:
      'a wave has one of `select`, `hosts`, `groups`, or none: then it is of every host that no other has',
  });

export const rollout = z
  .strictObject({
    waves: z
      .array(wave)
      .max(100)
      .meta({ description: 'In this order; hosts that none selects are in a last one, `rest`.' })
      .optional(),
    maxUnavailable: maxUnavailable.optional(),
    onFailure: z
      .enum(['halt', 'rollback-wave', 'rollback-all', 'continue'])
      .meta({ description: 'What a failed wave does. Default `halt`.' })
      .optional(),
    failureThreshold: amountOf('with 0 every wave would have failed before it begins: write at least 1')
      .meta({ description: 'So many failed hosts of a wave, or such a share, are a failed wave. Default 1.' })
      .optional(),
    rebootsAtOnce: z
      .int()
      .min(1, 'with 0 no host could ever reboot: write at least 1, or `reboot: { when: never }`')
      .max(20_000)
      .meta({ description: 'Default 1.' })
      .optional(),
  })
  .meta({ description: 'How a release moves through the fleet. Without it: every host at once.' });

export type WrittenHook = z.infer<typeof hook>;
export type WrittenReboot = z.infer<typeof reboot>;
export type WrittenRetention = z.infer<typeof retention>;
export type WrittenWave = z.infer<typeof wave>;
export type WrittenRollout = z.infer<typeof rollout>;
export type WrittenSelect = z.infer<typeof select>;
