import { z } from 'zod';
import { Text, Time } from './api-common.ts';

/** Look at the repository now. `POST /api/v1/sync` */
export const SyncAsked = z.object({ accepted: z.literal(true), at: Time });
export type SyncAsked = z.infer<typeof SyncAsked>;

/** Probe every host now. A host whose `probeAskedAt` is not before `at` has answered this. `POST /api/v1/probe` */
export const ProbesAsked = z.object({ accepted: z.literal(true), at: Time });
export type ProbesAsked = z.infer<typeof ProbesAsked>;

/** Forget remembered failures, of one host or of the whole fleet. `POST /api/v1/retry` */
export const RetryRequest = z.strictObject({ host: z.string().optional() });
export type RetryRequest = z.infer<typeof RetryRequest>;

/** Make this Varve the host's owner; `takeover` also from another one. `POST /api/v1/hosts/:host/adopt` */
export const AdoptRequest = z.strictObject({ takeover: z.boolean().default(false) });
export type AdoptRequest = z.infer<typeof AdoptRequest>;

/** Leave a host as it is. `POST /api/v1/hosts/:host/hold` */
export const HoldRequest = z.strictObject({
  reason: z.string().trim().min(1, 'say why: the reason is shown wherever the host is').max(500),
  /** Milliseconds since the epoch; absent: until it is released. */
  until: Time.optional(),
});
export type HoldRequest = z.infer<typeof HoldRequest>;

/** A person's command was carried out as far as the ledger: it is durable. */
export const CommandDone = z.object({ done: z.literal(true), at: Time, message: Text });
export type CommandDone = z.infer<typeof CommandDone>;

/** Make and push a commit that undoes a revision. `POST /api/v1/revert` */
export const RevertRequest = z.strictObject({ revision: z.string() });
export type RevertRequest = z.infer<typeof RevertRequest>;

export const RevertDone = z.object({
  /** The revision that was undone. */
  reverted: Text,
  /** The new commit on the tracked ref. */
  revision: Text,
  ref: Text,
  at: Time,
});
export type RevertDone = z.infer<typeof RevertDone>;

export const HealthAnswer = z.object({ ok: z.boolean(), reasons: z.array(z.string()).readonly() });
export type HealthAnswer = z.infer<typeof HealthAnswer>;

/** What became of a webhook. Forges show it beside the delivery. */
export const WebhookAnswer = z.object({
  result: z.enum(['accepted', 'ignored', 'duplicate', 'pong']),
  reason: Text,
});
export type WebhookAnswer = z.infer<typeof WebhookAnswer>;
