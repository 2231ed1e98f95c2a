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

export const HoldView = z.object({
  by: Text,
  reason: Text,
  since: Time,
  until: Time.optional(),
});
export type HoldView = z.infer<typeof HoldView>;
