import type { Failure } from './errors.ts';
import type { FactOf } from './facts.ts';
import type { Connection } from './fleet.ts';
import { type Draft, change, hostOf } from './memory-draft.ts';
import { type Failed, type HostMemory, connectionAs, runsOn } from './memory.ts';
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
        setback: host.setback?.toplevel === aim.toplevel ? undefined : host.setback,
        ...(aim.mode === 'dry-activate'
          ? { dryRun: aim.toplevel }
          : {
              stuck: undefined,
              mayReplace: undefined,
              before: host.confirmed?.toplevel === aim.toplevel ? host.before : host.confirmed,
              onTrial: isOnTrial(draft, fact, host),
              heals: healsAfter(host, fact),
              confirmed: {
                deployment: aim.deployment,
                observation: aim.observation,
                toplevel: aim.toplevel,
                drvPath: aim.drvPath,
                connection: fact.connection,
                mode: aim.mode,
                at: fact.at,
                awaitingReboot: fact.phase === 'awaiting-reboot',
                beforeReboot: fact.phase === 'awaiting-reboot' ? untilReboot(draft, fact, host) : undefined,
              },
            }),
      });
      return;
    case 'failed':
    case 'rolled-back':
    case 'stuck':
    case 'unconfirmed':
      if (fact.phase === 'stuck') change(draft, aim.host, { stuck: fact.connection });
      if (aim.action === 'reboot') learnReturn(draft, fact, host);
      if (fact.failure !== undefined) learnFailure(draft, fact, fact.failure);
      return;
    default:
      return;
  }
}

/** Whether what is confirmed now is new there, or was on trial already, and comes with a release that may still fail. */
function isOnTrial(
  { rollout }: Draft,
  { aim }: FactOf<'outcome'>,
  { confirmed, desired, onTrial }: HostMemory,
): boolean {
  if (aim.toplevel !== desired || rollout?.over === true) return false;
  return onTrial || confirmed?.toplevel !== aim.toplevel || confirmed.mode !== aim.mode;
}

/**
 * How a host answers until it is rebooted: as what it ran when it was last seen. That may be what was to wait for its reboot
 * so far, where somebody has rebooted the host meanwhile.
 */
function untilReboot(
  draft: Draft,
  { aim, previous }: FactOf<'outcome'>,
  { confirmed }: HostMemory,
): Connection | undefined {
  const known = previous === undefined ? undefined : connectionAs(draft, aim.host, previous);
  return known ?? runsOn(confirmed);
}

function unless(failed: Failed | undefined, toplevel: StorePath): Failed | undefined {
  return failed?.toplevel === toplevel ? undefined : failed;
}

const healedForMs = 24 * 3_600_000;

/**
 * Activated again with what was confirmed already: it was brought back. A reboot, or a profile that was set, brings
 * nothing back. A day without drift, and the next time does not wait.
 */
function healsAfter({ confirmed, heals }: HostMemory, { aim, at }: FactOf<'outcome'>): HostMemory['heals'] {
  if (confirmed?.toplevel !== aim.toplevel) return undefined;
  if (aim.action !== 'activate') return heals;
  const again = heals !== undefined && at - heals.at < healedForMs;
  return { count: again ? heals.count + 1 : 1, at };
}

/**
 * A host that was rebooted in vain runs what it was booted with before: that is no drift. Which system that is, only the
 * host can tell; it need not be the one that was confirmed before. One that went down before its reboot was ordered has
 * come back as that, too, but boots what is wanted the next time.
 */
function learnReturn(draft: Draft, fact: FactOf<'outcome'>, host: HostMemory): void {
  const { aim, phase, previous } = fact;
  const { confirmed, before } = host;
  if (confirmed?.toplevel !== aim.toplevel || previous === aim.toplevel) return;
  if (phase === 'failed' && fact.failure?.code === 'POWER_LOST') {
    const beforeReboot = untilReboot(draft, fact, host);
    return change(draft, aim.host, { confirmed: { ...confirmed, awaitingReboot: true, beforeReboot } });
  }
  if (phase !== 'rolled-back' && phase !== 'unconfirmed') return;
  if (previous === undefined) return change(draft, aim.host, { confirmed: undefined });
  const ran = before ?? confirmed;
  const connection = connectionAs(draft, aim.host, previous) ?? ran.connection;
  change(draft, aim.host, {
    confirmed: { ...ran, toplevel: previous, connection, awaitingReboot: false, beforeReboot: undefined },
  });
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
