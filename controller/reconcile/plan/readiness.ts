import type { Check } from '../../../shared/domain/check.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import type { HostMemory, Setback } from '../../../shared/domain/memory.ts';
import type { Said } from './judge-said.ts';
import { checksFor, type Target } from './target.ts';
import { backOff, leftAlone, pausedAfter, type Patience, type WantedView } from './plan-input.ts';

/**
 * What is said of a host after a setback; `undefined`: it is tried again. A host that a check has left alone before its
 * activation gets no further deployment, with all that the ledger would have of it, only to be asked the same again:
 * probes ask it, each after twice as long, until it is ready. Pure.
 */
export function pausedOrUnready(
  view: WantedView,
  target: Target,
  setback: Setback,
  patience: Patience,
  now: number,
): (Partial<Said> & Pick<Said, 'kind' | 'reason'>) | undefined {
  const paused = pausedAfter(setback, patience, now);
  if (setback.failure.code !== 'NOT_READY') return paused;
  const { contact } = view;
  const seen = contact?.kind === 'reached' && contact.askedAt >= setback.at ? contact : undefined;
  if (paused !== undefined || checksBefore(target, view.spec).length === 0) {
    return paused && leftAlone(seen?.readiness?.problem ?? setback.failure.message, paused.until);
  }
  if (seen?.readiness === undefined) {
    // Who answers and says nothing of it (the check is new, or the worker too old to ask) is not asked without a pause.
    const until = seen === undefined ? now : Math.max(seen.askedAt + patience.lookAgainMs, now);
    return leftAlone(setback.failure.message, until);
  }
  const { problem } = seen.readiness;
  if (problem === undefined) return undefined;
  const restMs = Math.max(backOff(setback.count, patience), seen.askedAt - setback.at);
  return leftAlone(problem, Math.max(seen.askedAt + Math.min(restMs, patience.longestBackOffMs), now));
}

/** What a probe is to ask of a host that was left alone before it was activated with what is wanted. Pure. */
export function askedBefore(
  spec: HostSpec | undefined,
  remembered: HostMemory | undefined,
  target: Target | undefined,
): readonly Check[] {
  const { setback } = remembered ?? {};
  if (spec === undefined || target === undefined || setback?.failure.code !== 'NOT_READY') return [];
  return setback.toplevel === target.toplevel ? checksBefore(target, spec) : [];
}

function checksBefore(target: Target, spec: HostSpec): readonly Check[] {
  return checksFor(target, spec).filter(({ before }) => before);
}
