import { z } from 'zod';
import {
  ObservationView,
  ProgressView,
  ScopeWord,
  SuspensionView,
  Text,
  Time,
  listOf,
  saidOfHost,
} from './api-common.ts';
import { Action, Delivery, Failure, Mode, Phase } from './domain.ts';
import { ReleaseView } from './api.ts';

/**
 * How a generation came out: the phase of its deployment, or `unchanged` (same toplevel, no deployment), `adopted`
 * (generation 0), `no-deployment` (an observation that nothing was started for: newer ones came, or it failed).
 */
export const GenerationResult = z.union([
  Phase,
  z.enum(['unchanged', 'adopted', 'no-deployment', 'evaluation-failed']),
]);
export type GenerationResult = z.infer<typeof GenerationResult>;

/** (host, observation) with what became of it. */
export const GenerationView = z.object({
  host: Text,
  observation: z.number().int(),
  at: Time,
  result: GenerationResult,
  revision: Text.optional(),
  subject: Text.optional(),
  toplevel: Text.optional(),
  deployment: Text.optional(),
  /** Who caused it: `varve`, the commit's author, or a person by name. */
  actor: Text,
  reason: Text,
  /** From its making to its end. */
  durationMs: z.number().nonnegative().optional(),
  delivery: Delivery.optional(),
  failure: Failure.optional(),
});
export type GenerationView = z.infer<typeof GenerationView>;

/** What people said and did: holds, retries, adoptions. */
export const ActView = z.object({
  at: Time,
  by: Text,
  act: z.enum([
    'hold',
    'hold-lifted',
    'suspended',
    'resumed',
    'override',
    'approved',
    'rollback',
    'rollout',
    'retry',
    'adopt',
    'leader',
  ]),
  host: Text.optional(),
  /** Of what, where that is a group or the whole fleet. */
  scope: ScopeWord.optional(),
  text: Text,
  until: Time.optional(),
});
export type ActView = z.infer<typeof ActView>;

/** One host's generations, newest first, failed ones included. `GET /api/v1/hosts/:host/history` */
export const HostHistory = z.object({
  host: Text,
  suspended: SuspensionView.optional(),
  ...saidOfHost,
  generations: listOf(GenerationView),
  /** What people said of it, of its groups, and of the whole fleet. */
  acts: listOf(ActView),
});
export type HostHistory = z.infer<typeof HostHistory>;

/** One observation and how many hosts came out how. */
export const ObservationSummary = z.object({
  observation: ObservationView,
  release: ReleaseView,
  hosts: z.object({
    total: z.number().int().nonnegative(),
    unchanged: z.number().int().nonnegative(),
    succeeded: z.number().int().nonnegative(),
    failed: z.number().int().nonnegative(),
    underWay: z.number().int().nonnegative(),
  }),
  /** From the observation to the last host's end, when all have ended. */
  durationMs: z.number().nonnegative().optional(),
});
export type ObservationSummary = z.infer<typeof ObservationSummary>;

/** The fleet's observations and acts, newest first. `GET /api/v1/history` */
export const FleetHistory = z.object({
  observations: listOf(ObservationSummary),
  acts: listOf(ActView),
});
export type FleetHistory = z.infer<typeof FleetHistory>;

/** Everything about one deployment. */
export const DeploymentView = z.object({
  id: Text,
  host: Text,
  phase: Phase,
  action: Action,
  mode: Mode,
  observation: z.number().int(),
  revision: Text,
  tree: Text,
  toplevel: Text,
  drvPath: Text.optional(),
  previous: Text.optional(),
  reason: Text,
  createdAt: Time,
  phaseAt: Time,
  /** When each phase was entered first, in order. */
  timeline: listOf(z.object({ phase: Phase, at: Time })),
  delivery: Delivery.optional(),
  progress: ProgressView.optional(),
  failure: Failure.optional(),
  /** The failure is the toplevel's own, so this toplevel is not tried there again. */
  evidence: z.boolean(),
  /** What is said now, of everything and of its host. */
  suspended: SuspensionView.optional(),
  ...saidOfHost,
});
export type DeploymentView = z.infer<typeof DeploymentView>;

/** One revision: what it is, and what became of it on every host. */
export const RevisionView = z.object({
  /** More than one when a force push came back to it; newest first. */
  observations: listOf(ObservationView),
  release: ReleaseView,
  suspended: SuspensionView.optional(),
  /** With what is said of each host now. */
  generations: listOf(GenerationView.extend(saidOfHost)),
});
export type RevisionView = z.infer<typeof RevisionView>;

/** `GET /api/v1/deployments/:id` and `GET /api/v1/revisions/:revision` */
export const Shown = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('deployment'), deployment: DeploymentView }),
  z.object({ kind: z.literal('revision'), revision: RevisionView }),
]);
export type Shown = z.infer<typeof Shown>;

/** One line of a deployment's log. `id` is what `Last-Event-ID` takes. */
export const LogLine = z.object({ id: Text, at: Time, line: Text });
export type LogLine = z.infer<typeof LogLine>;

/** What a deployment's log holds now. `GET /api/v1/deployments/:id/log` */
export const LogView = z.object({
  deployment: Text,
  /** The deployment has ended: no line will be added. */
  complete: z.boolean(),
  lines: listOf(LogLine),
});
export type LogView = z.infer<typeof LogView>;

export const PackageChange = z.object({
  name: Text,
  from: listOf(Text),
  to: listOf(Text),
  /** What the closure gains (or, below zero, loses) by it. */
  bytes: z.number(),
});
export type PackageChange = z.infer<typeof PackageChange>;

/** What lies between two revisions of one host. `GET /api/v1/hosts/:host/diff?from=…&to=…` */
export const DiffView = z.object({
  host: Text,
  from: z.object({ revision: Text, toplevel: Text, bytes: z.number(), paths: z.number().int() }),
  to: z.object({ revision: Text, toplevel: Text, bytes: z.number(), paths: z.number().int() }),
  identical: z.boolean(),
  added: listOf(PackageChange),
  removed: listOf(PackageChange),
  changed: listOf(PackageChange),
});
export type DiffView = z.infer<typeof DiffView>;
