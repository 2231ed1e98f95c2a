import { z } from 'zod';
import { ScopeWord, Text, Time } from './api-common.ts';
import { Failure } from './domain.ts';

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

const Reason = z.string().trim().min(1, 'say why: the reason is shown wherever the host is').max(500);

/** Leave a host, a group or the fleet as it is. `POST /api/v1/hold` */
export const HoldRequest = z.strictObject({
  scope: ScopeWord,
  reason: Reason,
  /** Absent: until it is released. */
  until: Time.optional(),
});
export type HoldRequest = z.infer<typeof HoldRequest>;

/** End a hold. `POST /api/v1/release` */
export const ReleaseRequest = z.strictObject({ scope: ScopeWord });
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;

/** Begin nothing anywhere. `POST /api/v1/suspend` */
export const SuspendRequest = z.strictObject({ reason: Reason });
export type SuspendRequest = z.infer<typeof SuspendRequest>;

/** Let closed windows and freezes not count for a while. `POST /api/v1/override` */
export const OverrideRequest = z.strictObject({ scope: ScopeWord, reason: Reason, until: Time });
export type OverrideRequest = z.infer<typeof OverrideRequest>;

/** Let a release into a wave or a group. `POST /api/v1/approve` */
export const ApproveRequest = z
  .strictObject({
    wave: z.string().optional(),
    group: z.string().optional(),
    /** What was looked at; refused where something newer was seen since. Default: the newest. */
    observation: z.number().int().positive().optional(),
  })
  .refine(({ wave, group }) => (wave === undefined) !== (group === undefined), {
    message: 'name one wave or one group',
  });
export type ApproveRequest = z.infer<typeof ApproveRequest>;

/** Return a host to a system that ran there before, and hold it there. `POST /api/v1/hosts/:host/rollback` */
export const RollbackRequest = z
  .strictObject({
    /** A generation: the number of an observation, or 0 for what ran when the host was adopted. */
    toGeneration: z.number().int().nonnegative().optional(),
    toplevel: z.string().optional(),
    reason: Reason,
    until: Time.optional(),
    /** Also undo in the repository the commit that brought what the host leaves. Takes the right `admin`. */
    revert: z.boolean().default(false),
  })
  .refine(({ toGeneration, toplevel }) => toGeneration === undefined || toplevel === undefined, {
    message: 'name a generation or a toplevel, not both',
  });
export type RollbackRequest = z.infer<typeof RollbackRequest>;

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

/** The roll back is durable, whatever became of the revert. */
export const RollbackDone = CommandDone.extend({
  host: Text,
  to: z.object({ toplevel: Text, observation: z.number().int().nonnegative() }),
  reverted: RevertDone.optional(),
  /** Why there is no revert, although one was asked for. */
  revertFailure: Failure.optional(),
});
export type RollbackDone = z.infer<typeof RollbackDone>;

export const HealthAnswer = z.object({ ok: z.boolean(), reasons: z.array(z.string()).readonly() });
export type HealthAnswer = z.infer<typeof HealthAnswer>;

/** What became of a webhook. Forges show it beside the delivery. */
export const WebhookAnswer = z.object({
  result: z.enum(['accepted', 'ignored', 'duplicate', 'pong']),
  reason: Text,
});
export type WebhookAnswer = z.infer<typeof WebhookAnswer>;
