import { isActive } from '../../../shared/domain/deployment.ts';
import { isUnhealthy } from '../../../shared/domain/health.ts';
import {
  awaitsReboot,
  isStuck,
  type HostMemory,
  type Pin,
  type Rollout,
} from '../../../shared/domain/memory.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import type { HostView, WantedView } from './plan-input.ts';

/** Where a host stands in the rollout of the newest release. */
export type Standing =
  /** It runs the release, or boots it next. */
  | { readonly kind: 'done' }
  /** Something is under way there, or yet to come. */
  | { readonly kind: 'moving' }
  /** It speaks against the release. `proven`: by evidence, which the host's return does not take back. */
  | { readonly kind: 'failed'; readonly why: string; readonly proven: boolean }
  /** It says nothing about the release, and nobody waits for it. */
  | { readonly kind: 'out'; readonly why: string };

/** A host, with everything that the rollout asks of it. */
export interface Rolling {
  readonly view: WantedView;
  readonly verdict: Verdict;
  readonly standing: Standing;
  /** It runs a testing branch of its own, or is about to. */
  readonly isTesting: boolean;
}

/** So many probes in a row in vain are not a passing trouble of the network any more. */
const awayAfterProbes = 3;

const done: Standing = { kind: 'done' };
const moving: Standing = { kind: 'moving' };

/** Where a host stands, judged by itself: before waves and budgets were asked. Pure. */
export function standingOf(view: WantedView, verdict: Verdict): Standing {
  const { remembered, contact } = view;
  const proven = provenFailure(remembered);
  if (proven !== undefined && verdict.kind !== 'in-sync') return proven;
  switch (verdict.kind) {
    case 'in-sync':
      return doneOrUnwell(view);
    case 'wait':
      if (verdict.waitsFor === 'reboot') return done;
      // Its window may be weeks away.
      if (verdict.waitsFor === 'window' && verdict.action === 'reboot') return done;
      // Left alone by a check of its own, or changed by somebody else: not the release's doing.
      return verdict.waitsFor === 'check' || isDrift(verdict, remembered)
        ? { kind: 'out', why: verdict.reason }
        : moving;
    case 'deliver':
    case 'activate':
    case 'finalise':
    case 'superseded':
    case 'probe':
      return moving;
    case 'unreachable':
      if (!isTouched(remembered)) return { kind: 'out', why: 'it is unreachable' };
      return contact?.kind === 'unreachable' && contact.attempts >= awayAfterProbes
        ? { kind: 'failed', why: 'it cannot be reached any more', proven: false }
        : moving;
    case 'stalled':
      return stalledStanding(verdict, remembered);
    case 'held':
    case 'unmanaged':
    case 'orphaned':
      return { kind: 'out', why: verdict.reason };
  }
}

/** Not: what was to be made lasting there had been replaced before it was begun, by a reboot, say. That is tried again. */
function isDrift({ code, toplevel }: Verdict, remembered: HostMemory | undefined): boolean {
  return code === 'DRIFTED' && remembered?.confirmed?.toplevel === toplevel;
}

/** It failed by evidence with what is wanted there: that the host is away, held or tests by now takes nothing back. */
export function provenFailure(remembered: HostMemory | undefined): Standing | undefined {
  const { failed, desired } = remembered ?? {};
  if (failed === undefined || failed.toplevel !== desired) return undefined;
  return { kind: 'failed', why: failed.failure.message, proven: true };
}

/** What rollouts have changed must stay well to their end; what was unwell before does not speak against the release. */
function doneOrUnwell({ spec, contact, remembered }: WantedView): Standing {
  if (!isTouched(remembered)) return done;
  const { unhealthy, why } = isUnhealthy(contact, spec.unitFailures);
  return unhealthy ? { kind: 'failed', why, proven: true } : done;
}

function stalledStanding(verdict: Verdict, remembered: HostMemory | undefined): Standing {
  if (remembered?.stuck !== undefined) return { kind: 'failed', why: verdict.reason, proven: true };
  // Another system than that of the release: what a person sent it back to.
  if (verdict.toplevel !== remembered?.desired) return { kind: 'out', why: verdict.reason };
  switch (verdict.code) {
    case 'DRIFTED':
    case 'OWNED_BY':
    case 'UNMANAGED':
    case 'EVALUATION_FAILED':
    case 'ROLLED_BACK_WITH_WAVE':
      return { kind: 'out', why: verdict.reason };
    default: {
      const isReboot = remembered?.setback?.action === 'reboot' && remembered.failed === undefined;
      // A reboot of what it has had for long says nothing of the release.
      if (isReboot && !remembered.onTrial) return { kind: 'out', why: verdict.reason };
      return { kind: 'failed', why: verdict.reason, proven: verdict.code !== 'UNCONFIRMED' && !isReboot };
    }
  }
}

/** What the release has for it was activated there in this rollout or one that went over into it, or just is. */
export function isTouched(remembered: HostMemory | undefined): boolean {
  return (remembered?.openIntents.size ?? 0) > 0 || isOnTrial(remembered);
}

/** It has what the release wants there, and how it does with that still counts. */
export function isOnTrial(remembered: HostMemory | undefined): boolean {
  return remembered?.onTrial === true && remembered.confirmed?.toplevel === remembered.desired;
}

/**
 * Whether an activation brings what the rollout is about. A reboot of what a host has had for long, or its being brought
 * back to that, is none of its business.
 */
export function bringsRelease({ view: { remembered }, verdict }: Pick<Rolling, 'view' | 'verdict'>): boolean {
  const { confirmed } = remembered ?? {};
  // What is merged after a test has yet to be released there.
  return confirmed?.toplevel !== verdict.toplevel || confirmed?.mode === 'test' || isOnTrial(remembered);
}

/**
 * Whether a host serves nobody, or may not, since this rollout began: what `maxUnavailable` counts besides activations
 * under way. A host that rolled back runs the system of before, and is available.
 */
export function isUnavailable({ view, verdict, standing }: Rolling, begun: Rollout | undefined): boolean {
  const { remembered, contact } = view;
  if (isStuck(remembered, verdict)) return true;
  if (verdict.kind === 'in-sync' && standing.kind === 'failed') return true;
  // Nobody knows yet: were it away, one more would be too many.
  return contact?.kind !== 'reached' && !wasAbsent(view, begun);
}

/**
 * Whether a host was away before a rollout began, and has been since: the ledger says so, or it was asked before that, and
 * in vain. Before anything began, whoever cannot be reached now was away before.
 */
export function wasAbsent(
  { host, contact, remembered }: Pick<HostView, 'host' | 'contact' | 'remembered'>,
  begun: Rollout | undefined,
): boolean {
  if (begun === undefined) return true;
  // It came back, and the rollout has reached it.
  if ((remembered?.confirmed?.at ?? 0) > begun.beganAt) return false;
  if (begun.absent.has(host)) return true;
  return contact?.kind === 'unreachable' && contact.since < begun.beganAt;
}

/** It runs what it was to go back to: what is brought to it from then on had been changed there. */
export function isBack(
  { remembered, contact }: Pick<HostView, 'remembered' | 'contact'>,
  { to }: Pin,
): boolean {
  const confirmed = remembered?.confirmed;
  const current = contact?.kind === 'reached' ? contact.report.current : undefined;
  return confirmed?.toplevel === to.toplevel && !awaitsReboot(confirmed, current);
}

/** The last that was heard is that it does not answer. */
export function isAway({ contact }: Pick<HostView, 'contact'>): boolean {
  return contact?.kind === 'unreachable';
}

/** An activation is under way there, is queued, or may be: until the ledger has its outcome. */
export function isInFlight({ remembered, live }: Pick<HostView, 'remembered' | 'live'>): boolean {
  return (remembered?.openIntents.size ?? 0) > 0 || (live !== undefined && isActive(live));
}
