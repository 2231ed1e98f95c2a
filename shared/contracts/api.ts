import { z } from 'zod';
import {
  GateView,
  Health,
  HoldView,
  ObservationView,
  OverrideView,
  TestingView,
  ProgressView,
  RolloutView,
  SuspensionView,
  Sync,
  Text,
  Time,
  VerdictKind,
  listOf,
  saidOfHost,
} from './api-common.ts';
import { Action, Failure, Phase, RebootReason } from './domain.ts';
import { driftKinds } from '../domain/drift.ts';

/** Who leads, as the controller that answers knows it. */
export const LeaderView = z.object({
  /** `self`: the controller that answers. `none`: nobody right now. */
  kind: z.enum(['self', 'other', 'none']),
  /** Where the leader answers, if it is known. */
  address: Text.optional(),
  epoch: z.number().int().optional(),
});
export type LeaderView = z.infer<typeof LeaderView>;

/** The watched repository. While it is failing, hosts keep what they have. */
export const SourceView = z.object({
  /** `waiting`: no look has ended yet. */
  state: z.enum(['ok', 'failing', 'waiting']),
  /** Without credentials. */
  repository: Text,
  ref: Text,
  /** When the last look that ended was begun. */
  lastLookAt: Time.optional(),
  lastSuccessAt: Time.optional(),
  /** What that look found; the observation follows with the next pass. */
  revision: Text.optional(),
  failure: Failure.optional(),
});
export type SourceView = z.infer<typeof SourceView>;

/** The evaluation of the newest observation's tree. */
export const ReleaseView = z.object({
  state: z.enum(['none', 'evaluating', 'complete', 'failed']),
  durationMs: z.number().nonnegative().optional(),
  failure: Failure.optional(),
});
export type ReleaseView = z.infer<typeof ReleaseView>;

/** A deployment that is under way. */
export const LiveDeployment = z.object({
  id: Text,
  phase: Phase,
  action: Action,
  observation: z.number().int(),
  revision: Text,
  createdAt: Time,
  phaseAt: Time,
  progress: ProgressView.optional(),
  /** The last line of its log. */
  activity: Text.optional(),
});
export type LiveDeployment = z.infer<typeof LiveDeployment>;

/** How a host came to run, or to boot, what Varve did not confirm there, as far as the host can tell. */
export const DriftView = z.object({
  kind: z.enum(driftKinds),
  /** NixOS's own number of what it has now, if it has one. */
  profileGeneration: z.number().int().optional(),
  at: Time.optional(),
  /** Who ran a command that changes systems, or was logged in then: not proof. */
  sightings: listOf(
    z.object({
      kind: z.enum(['sudo', 'login']),
      user: Text,
      /** When it was run, or when the login began. */
      at: Time,
      command: Text.optional(),
      from: Text.optional(),
    }),
  ),
});
export type DriftView = z.infer<typeof DriftView>;

export const HostStatus = z.object({
  host: Text,
  labels: z.record(z.string(), z.string()).readonly(),
  /** Of the newest revision; absent where that does not name the host. */
  wave: Text.optional(),
  groups: listOf(Text),
  /** `user@address:port`. */
  address: Text,
  sync: Sync,
  health: Health,
  verdict: VerdictKind,
  /** Why it is so, for people. */
  reason: Text,
  waitsFor: Text.optional(),
  until: Time.optional(),
  failure: Failure.optional(),
  ...saidOfHost,
  /** Its branch `testing/<host>`, as long as there is one. */
  testing: TestingView.optional(),
  /** The system that runs, by the last probe. */
  current: Text.optional(),
  /** Where it has drifted: how, and whom its journal tells of. Times are by its own clock. */
  drift: DriftView.optional(),
  desired: Text.optional(),
  /** Of the generation that was confirmed last. */
  revision: Text.optional(),
  observation: z.number().int().optional(),
  confirmedAt: Time.optional(),
  /** NixOS's own number. */
  profileGeneration: z.number().int().optional(),
  /** What runs in full only after a reboot; empty: nothing. */
  rebootNeeded: listOf(RebootReason).optional(),
  failedUnits: listOf(Text).optional(),
  /** What its failed checks say. */
  failedChecks: listOf(Text).optional(),
  /** Someone holds the guard's or switch-to-configuration's lock there. */
  locked: z.boolean().optional(),
  /** Free on the file system of its store. */
  freeBytes: z.number().nonnegative().optional(),
  /** Of its Nix; empty where it has none. */
  nixVersion: Text.optional(),
  /** When the last probe that ended was asked for, whether it reached the host or not. */
  probeAskedAt: Time.optional(),
  lastContactAt: Time.optional(),
  unreachableSince: Time.optional(),
  deployment: LiveDeployment.optional(),
});
export type HostStatus = z.infer<typeof HostStatus>;

/** The whole fleet at a glance. `GET /api/v1/status` */
export const Status = z.object({
  at: Time,
  version: Text,
  owner: Text.optional(),
  leader: LeaderView,
  /** Why nothing is known of hosts yet; absent once a pass has judged them. */
  notJudged: Failure.optional(),
  source: SourceView,
  /** The newest one; absent before the first look. */
  observation: ObservationView.optional(),
  release: ReleaseView,
  suspended: SuspensionView.optional(),
  /** Of groups and of the whole fleet; those of single hosts are with the hosts. */
  holds: listOf(HoldView),
  overrides: listOf(OverrideView),
  rollout: RolloutView.optional(),
  /** Waves and groups that a release gets into by approval only. */
  gates: listOf(GateView),
  hosts: listOf(HostStatus),
});
export type Status = z.infer<typeof Status>;

/** One host's line of a plan. */
export const VerdictView = z.object({
  host: Text,
  verdict: VerdictKind,
  reason: Text,
  waitsFor: Text.optional(),
  until: Time.optional(),
  from: Text.optional(),
  to: Text.optional(),
  ...saidOfHost,
});
export type VerdictView = z.infer<typeof VerdictView>;

/** What the next pass would do; reading it does nothing. `GET /api/v1/plan` */
export const PlanView = z.object({
  at: Time,
  observation: ObservationView.optional(),
  suspended: SuspensionView.optional(),
  requeueAt: Time.optional(),
  verdicts: listOf(VerdictView),
});
export type PlanView = z.infer<typeof PlanView>;

/** One link of the chain that leads to a verdict, the deepest cause last. */
export const WhyLink = z.object({
  statement: Text,
  /** Since when. */
  at: Time.optional(),
  until: Time.optional(),
  deployment: Text.optional(),
  revision: Text.optional(),
});
export type WhyLink = z.infer<typeof WhyLink>;

/** Why a host is what it is. `GET /api/v1/hosts/:host/why` */
export const Why = z.object({
  host: Text,
  sync: Sync,
  health: Health,
  verdict: VerdictKind,
  reason: Text,
  /** By name, where it has one: `wave canary`, `approval of wave all`. */
  waitsFor: Text.optional(),
  /** Since when the verdict is so, where that is known. */
  since: Time.optional(),
  until: Time.optional(),
  suspended: SuspensionView.optional(),
  ...saidOfHost,
  chain: listOf(WhyLink),
  /** What a person could do now, if anything. */
  advice: Text.optional(),
});
export type Why = z.infer<typeof Why>;
