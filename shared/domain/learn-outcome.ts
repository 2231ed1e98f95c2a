import type { Failure } from './errors.ts';
import type { FactOf } from './facts.ts';
import { learnConfirmed, learnReturn } from './learn-confirmed.ts';
import { type Draft, change, hostOf } from './memory-draft.ts';
import type { Failed, HostMemory } from './memory.ts';
import { type DrvPath, type HostName, isDrvPath, type StorePath } from './names.ts';
import type { Release } from './observation.ts';

/** How a deployment ended, and what that means for its host. */
export function learnOutcome(draft: Draft, fact: FactOf<'outcome'>): void {
  const { aim } = fact;
  if (draft.outcomeOf.has(aim.deployment)) return;
  draft.outcomes.push(fact);
  draft.outcomeOf.set(aim.deployment, fact);
  const host = hostOf(draft, aim.host);
  const open = new Map(host.openIntents);
  open.delete(aim.deployment);
  change(draft, aim.host, { openIntents: open, lastOutcome: fact });
  switch (fact.phase) {
    case 'succeeded':
    case 'awaiting-reboot':
      change(draft, aim.host, {
        // That a host went back, or tests something else, takes back nothing of what failed there.
        failed: unless(host.failed, aim.toplevel),
        failedApart: unless(host.failedApart, aim.toplevel),
        setback: isOver(host.setback, fact) ? undefined : host.setback,
      });
      if (aim.mode === 'dry-activate') change(draft, aim.host, { dryRun: aim.toplevel });
      else learnConfirmed(draft, fact);
      return;
    case 'failed':
    case 'rolled-back':
    case 'stuck':
    case 'unconfirmed':
      if (fact.phase === 'stuck') {
        change(draft, aim.host, { stuck: { toplevel: aim.toplevel, connection: fact.connection } });
      }
      if (aim.action === 'reboot') learnReturn(draft, fact);
      if (fact.failure !== undefined) learnFailure(draft, fact, fact.failure);
      return;
    default:
      return;
  }
}

function unless(failed: Failed | undefined, toplevel: StorePath): Failed | undefined {
  return failed?.toplevel === toplevel ? undefined : failed;
}

/** A reboot that came to nothing left its host on the system of before: only another reboot takes that back. */
function isOver(setback: HostMemory['setback'], { aim }: FactOf<'outcome'>): boolean {
  return setback?.toplevel === aim.toplevel && (setback.action !== 'reboot' || aim.action === 'reboot');
}

function learnFailure(draft: Draft, fact: FactOf<'outcome'>, failure: Failure): void {
  const { aim } = fact;
  if (failure.code === 'BUILD_FAILED' && failure.disposition === 'stalled') {
    if (aim.drvPath !== undefined) draft.failedBuilds.set(aim.drvPath, failure);
    // The derivation that really failed: another toplevel that needs it must not build it again either.
    const inner = failure.details?.['derivation'];
    if (inner !== undefined && isDrvPath(inner)) draft.failedBuilds.set(inner, failure);
    return;
  }
  const { desired, failed, setback, pin, testing } = hostOf(draft, aim.host);
  const wanted = [desired, pin?.to.toplevel, testing?.released?.toplevel];
  // A late outcome of what nobody wants any more must not be held against what is wanted now.
  const isWanted = desired === undefined || wanted.includes(aim.toplevel);
  // But the newest tree may want just that again: evidence is kept until it is known what that one wants.
  const mayBeWanted = fact.evidence && failed === undefined && newestRelease(draft) === undefined;
  if (!isWanted && !mayBeWanted) return;
  if (fact.evidence) {
    const known = { toplevel: aim.toplevel, failure, at: fact.at };
    // What the release wants there may have failed before: that stands.
    const isApart = isWanted && desired !== undefined && desired !== aim.toplevel;
    change(draft, aim.host, isApart ? { failedApart: known } : { failed: known });
    return;
  }
  const before = setback?.toplevel === aim.toplevel ? setback : undefined;
  change(draft, aim.host, {
    setback: {
      toplevel: aim.toplevel,
      action: aim.action,
      count: (before?.count ?? 0) + 1,
      unconfirmed: (before?.unconfirmed ?? 0) + (fact.phase === 'unconfirmed' ? 1 : 0),
      at: fact.at,
      failure,
    },
  });
}

/** `undefined`: the newest tree is being evaluated, or cannot be followed. */
function newestRelease({ newestKey, releases }: Draft): Release | undefined {
  return newestKey === undefined ? undefined : releases.get(newestKey);
}

/** Of a system, and of the derivation inside of it that really failed. */
export function forgetBuild(draft: Draft, drv: DrvPath | undefined): void {
  const failure = drv === undefined ? undefined : draft.failedBuilds.get(drv);
  for (const known of [drv, failure?.details?.['derivation']]) {
    if (known !== undefined && isDrvPath(known)) draft.failedBuilds.delete(known);
  }
}

/** A person wants what failed to be tried again: on one host, or everywhere. */
export function forget(draft: Draft, only: HostName | undefined): void {
  for (const host of only === undefined ? [...draft.hosts.keys()] : [only]) {
    const { testing } = hostOf(draft, host);
    if (testing !== undefined) draft.failedEvaluations.delete(testing.key);
    const release = newestRelease(draft);
    const retryNext = only !== undefined && release === undefined;
    change(draft, host, { failed: undefined, failedApart: undefined, setback: undefined, retryNext });
    forgetBuild(draft, release?.hosts.get(host)?.drvPath);
    forgetBuild(draft, testing?.released?.drvPath);
  }
  if (only === undefined) {
    draft.failedBuilds.clear();
    draft.failedEvaluations.clear();
  }
}
