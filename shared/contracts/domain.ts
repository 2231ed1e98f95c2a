import { z } from 'zod';
import { rebootReasons } from '../domain/contact.ts';
import { type Delivery as DeliveryValue, actions, phases } from '../domain/deployment.ts';
import { type Failure as FailureValue, FleetError, errorCodes } from '../domain/errors.ts';
import type { Check as CheckValue, CheckResult as CheckResultValue } from '../domain/check.ts';
import type { Connection as ConnectionValue, Timeouts as TimeoutsValue } from '../domain/fleet.ts';
import {
  type HostName as HostNameValue,
  parseDeploymentId,
  parseDrvPath,
  parseHostName,
  parseRevision,
  parseStorePath,
  parseTree,
} from '../domain/names.ts';
import type {
  Observation as ObservationValue,
  Release as ReleaseValue,
  ReleasedHost as ReleasedHostValue,
} from '../domain/observation.ts';
import type { Hook as HookValue, Scope as ScopeValue } from '../domain/policy.ts';
import type { Token as TokenValue } from '../domain/token.ts';

/**
 * How the domain's values look as JSON, for whatever leaves the process: live state, ledger, API. Each schema is named
 * as the type that it reads; branded names are parsed by the domain's own functions. A field that may be `undefined`
 * may be missing in the JSON, and a map is an object there.
 */

/** A name that `parse` accepts. */
function named<Name extends string>(parse: (text: string) => Name) {
  return z.codec(z.string(), z.custom<Name>(), {
    decode: (text, context) => {
      try {
        return parse(text);
      } catch (thrown) {
        const message = thrown instanceof FleetError ? thrown.message : 'not accepted';
        context.issues.push({ code: 'custom', input: text, message });
        return z.NEVER;
      }
    },
    encode: (name) => name,
  });
}

/** A field of the domain that is always there but may be `undefined`; in JSON it is missing then. */
export function maybe<Schema extends z.ZodType>(schema: Schema) {
  return z.codec(z.optional(schema), z.custom<z.output<Schema> | undefined>(), {
    decode: (value) => value,
    encode: (value) => value,
  });
}

/** A map from host names; an object in JSON. */
export function byHost<Schema extends z.ZodType>(schema: Schema) {
  return z.codec(z.record(z.string(), schema), z.custom<ReadonlyMap<HostNameValue, z.output<Schema>>>(), {
    decode: (object, context) => {
      const map = new Map<HostNameValue, z.output<Schema>>();
      for (const [key, value] of Object.entries(object)) {
        const name = HostName.safeParse(key);
        if (name.success) map.set(name.data, value);
        else
          context.issues.push({
            code: 'custom',
            input: key,
            message: name.error.issues[0]?.message ?? '',
          });
      }
      return map;
    },
    encode: (map) => Object.fromEntries(map),
  });
}

export const HostName = named(parseHostName);
export const Revision = named(parseRevision);
export const Tree = named(parseTree);
export const StorePath = named(parseStorePath);
export const DrvPath = named(parseDrvPath);
export const DeploymentId = named(parseDeploymentId);

/** Milliseconds since the epoch. */
export const Instant = z.number();
export const Count = z.int().min(0);

export const ErrorCode = z.enum(errorCodes);
export const Disposition = z.enum(['stalled', 'waiting', 'transient']);
export const Phase = z.enum(phases);
export const Action = z.enum(actions);
export const Mode = z.enum(['switch', 'boot', 'test', 'dry-activate']);

export const Failure = z.object({
  code: ErrorCode,
  disposition: Disposition,
  message: z.string(),
  hint: z.exactOptional(z.string()),
  details: z.exactOptional(z.record(z.string(), z.string())),
}) satisfies z.ZodType<FailureValue>;

export const Token = z.object({ epoch: Count, counter: Count }) satisfies z.ZodType<TokenValue>;

export const Connection: z.ZodType<ConnectionValue> = z.object({
  address: z.string(),
  port: z.int().min(1).max(65_535),
  user: z.string(),
  hostKeys: z.array(z.string()).readonly(),
  via: z.exactOptional(z.lazy(() => Connection)),
});

const pace = {
  intervalMs: z.number(),
  timeoutMs: z.number(),
  successes: Count,
  before: z.boolean(),
};

const Bounds = z.object({
  above: z.exactOptional(z.number()),
  below: z.exactOptional(z.number()),
  equals: z.exactOptional(z.number()),
});

export const Check = z.discriminatedUnion('kind', [
  z.object({ ...pace, kind: z.literal('unit'), name: z.string() }),
  z.object({ ...pace, kind: z.literal('http'), url: z.string(), status: z.int() }),
  z.object({ ...pace, kind: z.literal('tcp'), port: z.int() }),
  z.object({ ...pace, kind: z.literal('command'), command: z.array(z.string()).readonly() }),
  z.object({ ...pace, kind: z.literal('worker'), name: z.string() }),
  z.object({
    ...pace,
    kind: z.literal('prometheus'),
    url: z.string(),
    query: z.string(),
    bounds: Bounds,
  }),
]) satisfies z.ZodType<CheckValue>;

export const CheckResult = z.object({
  name: z.string(),
  healthy: z.boolean(),
  message: z.exactOptional(z.string()),
  intervalMs: z.number(),
}) satisfies z.ZodType<CheckResultValue>;

export const Timeouts = z.object({
  buildMs: z.number(),
  pushMs: z.number(),
  activationMs: z.number(),
  confirmMs: z.number(),
  settleMs: z.number(),
}) satisfies z.ZodType<TimeoutsValue>;

export const Delivery = z.object({
  builds: Count,
  pushedPaths: Count,
  pushedBytes: Count,
  durationMs: z.number(),
}) satisfies z.ZodType<DeliveryValue>;

/** What a hold, an override or a freeze is about. */
export const Scope = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('host'), host: HostName }),
  z.strictObject({ kind: z.literal('group'), group: z.string() }),
  z.strictObject({ kind: z.literal('fleet') }),
]) satisfies z.ZodType<ScopeValue>;

export const RebootReason = z.enum(rebootReasons);

export const Hook = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('worker-command'), name: z.string(), timeoutMs: z.number() }),
  z.object({ kind: z.literal('command'), command: z.array(z.string()).readonly(), timeoutMs: z.number() }),
]) satisfies z.ZodType<HookValue>;

export const UnitFailures = z.enum(['new', 'any', 'ignore']);

/** When each phase was entered first. */
export const Timeline = z.partialRecord(Phase, Instant);

export const Observation = z.object({
  n: Count,
  revision: Revision,
  tree: Tree,
  at: Instant,
  forced: z.boolean(),
  author: z.string(),
  subject: z.string(),
}) satisfies z.ZodType<ObservationValue>;

export const ReleasedHost = z.object({
  drvPath: DrvPath,
  toplevel: StorePath,
}) satisfies z.ZodType<ReleasedHostValue>;

export const Release = z.object({
  key: z.string(),
  tree: Tree,
  hosts: byHost(ReleasedHost),
}) satisfies z.ZodType<ReleaseValue>;
