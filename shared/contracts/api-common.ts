import { z } from 'zod';
import { verdictKinds } from '../domain/verdict.ts';
import { Failure } from './domain.ts';

/** Every path of the API begins with it; a change that breaks readers gets a new one. */
export const apiPrefix = '/api/v1';

/** Times are milliseconds since the epoch, durations milliseconds, sizes bytes. */
export const Time = z.number().int().nonnegative();
export const Text = z.string();

/** A list that nobody changes. */
export function listOf<Item extends z.ZodType>(item: Item): z.ZodReadonly<z.ZodArray<Item>> {
  return z.array(item).readonly();
}

/** The body of every answer that is not a success. */
export const ErrorAnswer = z.object({ error: Failure });
export type ErrorAnswer = z.infer<typeof ErrorAnswer>;

/** Is the host what Git says? `Stalled`: no, and it stays so until a new commit or a person. */
export const Sync = z.enum(['Synced', 'OutOfSync', 'Stalled', 'Unknown']);
export type Sync = z.infer<typeof Sync>;

/** How does the host do? Unreachable is a state, not a failure. */
export const Health = z.enum(['Healthy', 'Progressing', 'Degraded', 'Unreachable', 'Held', 'Unknown']);
export type Health = z.infer<typeof Health>;

export const VerdictKind = z.enum(verdictKinds);
export type VerdictKind = z.infer<typeof VerdictKind>;

/** How far the present phase is: `done` of `total`, and of what. */
export const ProgressView = z.object({
  what: Text,
  done: z.number().nonnegative(),
  total: z.number().nonnegative(),
  paths: z.object({ done: z.number().nonnegative(), total: z.number().nonnegative() }).optional(),
});
export type ProgressView = z.infer<typeof ProgressView>;

/** The tracked ref was seen at this revision. */
export const ObservationView = z.object({
  n: z.number().int().nonnegative(),
  revision: Text,
  tree: Text,
  at: Time,
  forced: z.boolean(),
  author: Text,
  subject: Text,
});
export type ObservationView = z.infer<typeof ObservationView>;

/** Whom a person's word is about, as commands take it: the name of a host or of a group, or `fleet`. */
export const ScopeWord = Text;

/** A person's "leave it as it is". */
export const HoldView = z.object({
  scope: ScopeWord,
  by: Text,
  reason: Text,
  since: Time,
  /** Absent: until it is released. */
  until: Time.optional(),
});
export type HoldView = z.infer<typeof HoldView>;

/** Closed windows and freezes do not count there until then. */
export const OverrideView = z.object({
  scope: ScopeWord,
  by: Text,
  reason: Text,
  since: Time,
  until: Time,
});
export type OverrideView = z.infer<typeof OverrideView>;

/** Nothing is begun anywhere until somebody resumes. */
export const SuspensionView = z.object({ by: Text, reason: Text, since: Time });
export type SuspensionView = z.infer<typeof SuspensionView>;

/** The system that a host returns, or has returned, to: by a person's word, or with its wave. */
export const PinView = z.object({
  cause: z.enum(['person', 'wave']),
  toplevel: Text,
  /** The generation that it was; 0 for what the host ran when it was adopted. */
  observation: z.number().int().nonnegative(),
  by: Text,
  reason: Text,
  since: Time,
});
export type PinView = z.infer<typeof PinView>;

/** What people have said of a host and what lasts: with the host, wherever it is shown. */
export const saidOfHost = {
  /** Its own, or that of a group or of the whole fleet. */
  hold: HoldView.optional(),
  pin: PinView.optional(),
  /** Windows and freezes that are overridden there now. */
  override: OverrideView.optional(),
};

/** A host's branch `testing/<host>`, and what becomes of it. */
export const TestingView = z.object({
  branch: Text,
  revision: Text,
  state: z.enum(['evaluating', 'active', 'failed', 'ignored']),
  /** Why it is so, for people. */
  reason: Text,
  since: Time,
});
export type TestingView = z.infer<typeof TestingView>;

/** What lets a release into a wave or a group: a person's approval. */
export const GateView = z.object({
  kind: z.enum(['wave', 'group']),
  name: Text,
  /** The release that it is, or would be, opened for. */
  observation: z.number().int().nonnegative(),
  /** Hosts that wait for it now. */
  waiting: z.number().int().nonnegative(),
  approved: z.object({ by: Text, at: Time }).optional(),
});
export type GateView = z.infer<typeof GateView>;

/** One wave of the newest release's rollout. */
export const WaveView = z.object({
  name: Text,
  state: z.enum(['waiting', 'approval', 'moving', 'soaking', 'passed', 'failed']),
  /** Hosts that have the release, of `total`; `failed`: where it was tried in vain. */
  done: z.number().int().nonnegative(),
  total: z.number().int().nonnegative(),
  failed: z.number().int().nonnegative(),
  until: Time.optional(),
  /** What it waits for, or why it failed. */
  reason: Text,
});
export type WaveView = z.infer<typeof WaveView>;

export const RolloutView = z.object({
  observation: z.number().int().nonnegative(),
  since: Time.optional(),
  waves: listOf(WaveView),
});
export type RolloutView = z.infer<typeof RolloutView>;
