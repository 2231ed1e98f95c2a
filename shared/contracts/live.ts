import { z } from 'zod';
import type {
  HostContact as HostContactValue,
  HostRecord as HostRecordValue,
  ProbeReport as ProbeReportValue,
  ProbeTarget as ProbeTargetValue,
  RecordedEnd as RecordedEndValue,
  Retain as RetainValue,
  Tidied as TidiedValue,
  Tidy as TidyValue,
} from '../domain/contact.ts';
import type { Deployment as DeploymentValue } from '../domain/deployment.ts';
import { plainHost } from '../domain/fleet.ts';
import { driftKinds, type Drift as DriftValue, type Sighting as SightingValue } from '../domain/drift.ts';
import type {
  EvaluationOutcome as EvaluationOutcomeValue,
  EvaluationRequest as EvaluationRequestValue,
} from '../domain/observation.ts';
import {
  Action,
  Check,
  CheckResult,
  Connection,
  Count,
  Delivery,
  DeploymentId,
  DrvPath,
  Failure,
  Hook,
  HostName,
  Instant,
  Mode,
  Phase,
  RebootReason,
  Release,
  Revision,
  StorePath,
  Timeline,
  Timeouts,
  Token,
  Tree,
  UnitFailures,
  byHost,
  maybe,
} from './domain.ts';

/** The live state as JSON: what controller and workers hand each other through the deployment store. */

export const Deployment = z.object({
  id: DeploymentId,
  version: Count,
  host: HostName,
  observation: Count,
  revision: Revision,
  tree: Tree,
  toplevel: StorePath,
  drvPath: maybe(DrvPath),
  action: Action,
  mode: Mode,
  reason: z.string(),
  token: Token,
  owner: z.string(),
  known: z.array(Connection).readonly(),
  next: Connection,
  nextFallback: z.exactOptional(Connection),
  checks: z.array(Check).readonly(),
  timeouts: Timeouts,
  unitFailures: UnitFailures,
  // Records of older versions have none.
  transport: z
    .object({ by: z.enum(['push', 'cache']), substitute: z.boolean() })
    .default(plainHost.transport),
  reboot: maybe(z.object({ deadlineMs: z.number(), drain: maybe(Hook), undrain: maybe(Hook) })),
  knownBad: z.array(DrvPath).readonly(),
  retained: z.array(StorePath).readonly(),
  flake: z.object({ folder: z.string(), attribute: z.string() }),
  attribute: z.string(),
  phase: Phase,
  createdAt: Instant,
  phaseAt: Instant,
  timeline: Timeline,
  delivery: maybe(Delivery),
  previous: maybe(StorePath),
  failure: maybe(Failure),
  evidence: z.boolean(),
}) satisfies z.ZodType<DeploymentValue>;

export const RecordedEnd = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('succeeded'), flaw: z.exactOptional(Failure) }),
  z.object({ kind: z.literal('awaiting-reboot') }),
  z.object({ kind: z.literal('failed'), failure: Failure }),
  z.object({ kind: z.literal('rolled-back'), failure: Failure, evidence: z.boolean() }),
  z.object({ kind: z.literal('stuck'), failure: Failure }),
]) satisfies z.ZodType<RecordedEndValue>;

export const HostRecord = z.object({
  deployment: DeploymentId,
  token: Token,
  toplevel: StorePath,
  previous: maybe(StorePath),
  bootId: z.string(),
  end: maybe(RecordedEnd),
}) satisfies z.ZodType<HostRecordValue>;

export const Tidied = z.object({
  agoMs: z.number(),
  failures: Count,
  failure: maybe(z.string()),
}) satisfies z.ZodType<TidiedValue>;

export const Sighting = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sudo'), user: z.string(), command: z.string(), at: Instant }),
  z.object({ kind: z.literal('login'), user: z.string(), from: z.string(), at: Instant }),
]) satisfies z.ZodType<SightingValue>;

export const Drift = z.object({
  kind: z.enum(driftKinds),
  generation: maybe(Count),
  at: maybe(Instant),
  sightings: z.array(Sighting).readonly(),
}) satisfies z.ZodType<DriftValue>;

export const ProbeReport = z.object({
  current: maybe(StorePath),
  booted: maybe(StorePath),
  profile: maybe(StorePath),
  profileGeneration: maybe(Count),
  bootDefault: maybe(StorePath),
  bootId: z.string(),
  failedUnits: z.array(z.string()).readonly(),
  restarting: z.array(z.string()).readonly(),
  newlyFailed: z.array(z.string()).readonly(),
  freeBytes: z.number(),
  locked: z.boolean(),
  owner: maybe(z.string()),
  highestToken: maybe(Token),
  records: z.array(HostRecord).readonly(),
  nixVersion: z.string(),
  rooted: z.array(StorePath).readonly(),
  rebootNeeded: z.array(RebootReason).readonly(),
  generations: z.array(z.object({ number: Count, toplevel: StorePath })).readonly(),
  tidied: maybe(Tidied),
  collectedAgoMs: maybe(z.number()),
  drift: maybe(Drift),
}) satisfies z.ZodType<ProbeReportValue>;

export const HostContact = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('reached'),
    host: HostName,
    incarnation: z.string(),
    askedAt: Instant,
    at: Instant,
    connection: Connection,
    report: ProbeReport,
    checks: z.array(CheckResult).readonly(),
    readiness: z.exactOptional(z.object({ problem: maybe(z.string()) })),
  }),
  z.object({
    kind: z.literal('unreachable'),
    host: HostName,
    incarnation: z.string(),
    askedAt: Instant,
    at: Instant,
    since: Instant,
    attempts: Count,
    failure: Failure,
  }),
]) satisfies z.ZodType<HostContactValue>;

export const Retain = z.object({
  owner: z.string(),
  toplevels: z.array(StorePath).readonly(),
  keep: maybe(Count),
}) satisfies z.ZodType<RetainValue>;

export const Tidy = z.object({
  profile: StorePath,
  generation: Count,
  generations: z.array(Count).readonly(),
  bootMenu: z.boolean(),
  collectGarbage: z.boolean(),
}) satisfies z.ZodType<TidyValue>;

export const ProbeTarget = z.object({
  host: HostName,
  askedAt: Instant,
  connections: z.array(Connection).readonly(),
  ask: z.array(StorePath).readonly(),
  acknowledged: z.array(DeploymentId).readonly(),
  fence: maybe(Token),
  adopt: maybe(z.object({ owner: z.string(), takeover: z.boolean() })),
  checks: z.array(Check).readonly(),
  ready: z.exactOptional(z.array(Check).readonly()),
  retain: maybe(Retain),
  tidy: maybe(Tidy),
  expected: maybe(z.object({ runs: maybe(StorePath), boots: maybe(StorePath) })),
}) satisfies z.ZodType<ProbeTargetValue>;

export const EvaluationRequest = z.object({
  key: z.string(),
  tree: Tree,
  folder: z.string(),
  attribute: z.string(),
  hosts: z.union([z.literal('all'), byHost(z.string())]),
}) satisfies z.ZodType<EvaluationRequestValue>;

export const EvaluationOutcome = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('complete'), release: Release, durationMs: z.number() }),
  z.object({ kind: z.literal('failed'), failure: Failure, durationMs: z.number() }),
]) satisfies z.ZodType<EvaluationOutcomeValue>;
