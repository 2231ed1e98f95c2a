import { z } from 'zod';

import {
  Action,
  Connection,
  Count,
  Delivery,
  DeploymentId,
  DrvPath,
  Failure,
  HostName,
  Instant,
  maybe,
  Mode,
  Observation,
  Phase,
  Release,
  Revision,
  Scope,
  StorePath,
  Timeline,
  Token,
  Tree,
} from '../../shared/contracts/domain.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { Fact } from '../../shared/domain/facts.ts';

/**
 * Facts as lines of JSON. The objects are strict: a kind or a field that is not known here was written by a newer
 * Varve, and to go on without it would mean to forget something that was decided.
 */

const Aim = z.strictObject({
  deployment: DeploymentId,
  host: HostName,
  observation: Count,
  revision: Revision,
  tree: Tree,
  toplevel: StorePath,
  drvPath: maybe(DrvPath),
  action: Action,
  mode: Mode,
  token: Token,
});

const at = { at: Instant };
const by = { by: z.string() };
const host = { host: HostName };

const FactLine = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('genesis'), ...at, owner: z.string() }),
  z.strictObject({ kind: z.literal('epoch'), ...at, epoch: Count, leader: z.string() }),
  z.strictObject({ kind: z.literal('observation'), ...at, observation: Observation, key: maybe(z.string()) }),
  z.strictObject({ kind: z.literal('release'), ...at, release: Release, durationMs: z.number() }),
  z.strictObject({
    kind: z.literal('evaluation-failed'),
    ...at,
    key: z.string(),
    tree: Tree,
    failure: Failure,
  }),
  z.strictObject({
    kind: z.literal('adopted'),
    ...at,
    ...host,
    ...by,
    takeover: z.boolean(),
    running: maybe(StorePath),
    connection: Connection,
  }),
  z.strictObject({ kind: z.literal('adopt-asked'), ...at, ...host, ...by, takeover: z.boolean() }),
  z.strictObject({
    kind: z.literal('intent'),
    ...at,
    aim: Aim,
    connection: Connection,
    reason: z.string(),
    createdAt: Instant,
  }),
  z.strictObject({
    kind: z.literal('outcome'),
    ...at,
    aim: Aim,
    phase: Phase,
    connection: Connection,
    delivery: maybe(Delivery),
    previous: maybe(StorePath),
    failure: maybe(Failure),
    evidence: z.boolean(),
    reason: z.string(),
    createdAt: Instant,
    timeline: Timeline,
  }),
  z.strictObject({
    kind: z.literal('hold'),
    ...at,
    scope: Scope,
    ...by,
    reason: z.string(),
    until: maybe(Instant),
  }),
  z.strictObject({ kind: z.literal('hold-lifted'), ...at, scope: Scope, ...by }),
  z.strictObject({ kind: z.literal('suspended'), ...at, ...by, reason: z.string() }),
  z.strictObject({ kind: z.literal('resumed'), ...at, ...by }),
  z.strictObject({
    kind: z.literal('override'),
    ...at,
    scope: Scope,
    ...by,
    reason: z.string(),
    until: Instant,
  }),
  z.strictObject({
    kind: z.literal('approved'),
    ...at,
    observation: Count,
    gate: z.strictObject({ kind: z.enum(['wave', 'group']), name: z.string() }),
    ...by,
  }),
  z.strictObject({
    kind: z.literal('testing'),
    ...at,
    ...host,
    branch: maybe(
      z.strictObject({
        revision: Revision,
        tree: Tree,
        author: z.string(),
        subject: z.string(),
        ignored: maybe(z.string()),
        onto: Revision,
        key: z.string(),
      }),
    ),
  }),
  z.strictObject({
    kind: z.literal('rollout'),
    ...at,
    observation: Count,
    change: z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('began'),
        absent: z.array(HostName).readonly(),
        keepsTrials: z.boolean().default(false),
      }),
      z.strictObject({ kind: z.literal('wave-passed'), wave: z.string() }),
      z.strictObject({
        kind: z.literal('wave-failed'),
        wave: z.string(),
        reason: z.string(),
        // Ledgers of before did not say which.
        hosts: z.array(HostName).readonly().default([]),
      }),
      z.strictObject({ kind: z.literal('ended') }),
    ]),
  }),
  z.strictObject({
    kind: z.literal('pin'),
    ...at,
    ...host,
    ...by,
    reason: z.string(),
    cause: z.enum(['person', 'wave']),
    to: z.strictObject({ toplevel: StorePath, drvPath: maybe(DrvPath), observation: Count }),
    from: maybe(StorePath),
  }),
  z.strictObject({
    kind: z.literal('retry'),
    ...at,
    host: maybe(HostName),
    ...by,
    drift: maybe(
      z.strictObject({
        current: maybe(StorePath),
        profile: maybe(StorePath),
        bootDefault: maybe(StorePath),
      }),
    ),
  }),
]) satisfies z.ZodType<Fact>;

/** The kinds that this version knows, for telling a newer one from a damaged line. */
const knownKinds: ReadonlySet<string> = new Set(
  FactLine.options.flatMap((option) => [...option.shape.kind.values]),
);

/** One line, without its line end. */
export function encodeFact(fact: Fact): string {
  return JSON.stringify(z.encode(FactLine, fact));
}

/** @throws FleetError LEDGER_BROKEN, which names `where` */
export function decodeFact(line: string, where: string): Fact {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (thrown) {
    throw damaged(where, 'the line is not JSON', thrown);
  }
  const parsed = z.safeDecode(FactLine, scoped(json) as z.input<typeof FactLine>);
  if (parsed.success) return parsed.data;
  if (isFromNewer(json, parsed.error)) throw writtenByNewer(where);
  throw damaged(where, z.prettifyError(parsed.error), parsed.error);
}

/** Until 0.1 holds were of hosts only, and named them in a field of their own. */
function scoped(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || !('kind' in json) || !('host' in json)) return json;
  if (json.kind !== 'hold' && json.kind !== 'hold-lifted') return json;
  const { host: held, ...rest } = json;
  return { ...rest, scope: { kind: 'host', host: held } };
}

function isFromNewer(json: unknown, error: z.ZodError): boolean {
  if (typeof json !== 'object' || json === null || !('kind' in json)) return false;
  if (typeof json.kind === 'string' && !knownKinds.has(json.kind)) return true;
  // Unknown phases and error codes mean a newer version too. To mistake damage for "newer" costs an upgrade; to mistake
  // "newer" for damage costs whatever was written since the copy that is put back.
  return error.issues.every(({ code }) => code === 'unrecognized_keys' || code === 'invalid_value');
}

export function writtenByNewer(where: string): FleetError {
  return new FleetError({
    code: 'LEDGER_BROKEN',
    disposition: 'stalled',
    message: `the ledger was written by a newer version of Varve (${where})`,
    hint: 'upgrade this controller to at least the version that wrote it',
    details: { where },
  });
}

export function damaged(where: string, what: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'LEDGER_BROKEN',
    disposition: 'stalled',
    message: `the ledger is damaged at ${where}: ${what}`,
    hint:
      'put back a copy of refs/varve/ledger (of the ledger remote, or of a back-up of the data folder); ' +
      '`git fsck` and `git log refs/varve/ledger` in the data folder show what is there',
    details: { where },
    cause,
  });
}
