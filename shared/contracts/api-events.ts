import { z } from 'zod';
import { Health, ProgressView, ScopeWord, Sync, Text, Time, VerdictKind } from './api-common.ts';
import { Failure, Phase } from './domain.ts';

/** What happens in the fleet, as it happens: small enough that a reader asks the API for the rest. */
export const FleetHappening = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('observation'),
    n: z.number().int(),
    revision: Text,
    subject: Text,
    author: Text,
    /** Set when the ref was rewritten (a force push): this revision does not descend from the one before, `from`. */
    reason: z.literal('NonFastForward').optional(),
    from: Text.optional(),
  }),
  z.object({
    kind: z.literal('source'),
    state: z.enum(['ok', 'failing', 'waiting']),
    failure: Failure.optional(),
  }),
  z.object({
    kind: z.literal('release'),
    tree: Text,
    state: z.enum(['none', 'evaluating', 'complete', 'failed']),
    durationMs: z.number().nonnegative().optional(),
    failure: Failure.optional(),
  }),
  z.object({
    kind: z.literal('deployment'),
    deployment: Text,
    host: Text,
    phase: Phase,
    revision: Text,
    reason: Text,
    failure: Failure.optional(),
  }),
  z.object({
    kind: z.literal('progress'),
    deployment: Text,
    host: Text,
    phase: Phase,
    progress: ProgressView.optional(),
    activity: Text.optional(),
  }),
  z.object({
    kind: z.literal('host'),
    host: Text,
    sync: Sync,
    health: Health,
    verdict: VerdictKind,
    reason: Text,
  }),
  z.object({
    kind: z.literal('command'),
    act: Text,
    host: Text.optional(),
    /** Of what, where that is a group or the whole fleet. */
    scope: ScopeWord.optional(),
    by: Text,
  }),
  z.object({ kind: z.literal('leader'), leading: z.boolean() }),
  /** Events were missed (a restart, a pause that was too long): read the status again. */
  z.object({ kind: z.literal('reset') }),
]);
export type FleetHappening = z.infer<typeof FleetHappening>;

/** One server-sent event of `GET /api/v1/events`; its `id:` is what `Last-Event-ID` takes. */
export const FleetEvent = z.object({ id: Text, at: Time, happening: FleetHappening });
export type FleetEvent = z.infer<typeof FleetEvent>;
