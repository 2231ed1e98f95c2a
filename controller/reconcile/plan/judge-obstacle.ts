import { sameSystems, type ProbeReport } from '../../../shared/domain/contact.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import type { Mode } from '../../../shared/domain/fleet.ts';
import {
  awaitsReboot,
  failureAgainst,
  type Confirmed,
  type HostMemory,
  type Memory,
} from '../../../shared/domain/memory.ts';
import { driftText } from './drift-text.ts';
import type { Said, State } from './judge-said.ts';
import { doubled, type HostView, type Patience, type WantedView } from './plan-input.ts';
import { pausedOrUnready } from './readiness.ts';
import type { Target } from './target.ts';

const firstHealMs = 60_000;
const longestHealMs = 86_400_000;

/** What stands between a host and its new system: remembered failures, drift, back-off. */
export function obstacleTo(
  view: WantedView,
  released: Target,
  memory: Memory,
  remembered: HostMemory,
  state: State,
  mode: Mode,
  patience: Patience,
  now: number,
): (Partial<Said> & Pick<Said, 'kind' | 'reason'>) | undefined {
  const { setback } = remembered;
  const failed = failureAgainst(remembered, released.toplevel);
  const stalled = { kind: 'stalled', waitsFor: 'commit or retry' } as const;
  if (failed !== undefined) {
    return {
      ...stalled,
      code: failed.failure.code,
      reason: `it failed here before: ${failed.failure.message}`,
    };
  }
  const build = released.drvPath === undefined ? undefined : memory.failedBuilds.get(released.drvPath);
  if (build !== undefined) {
    return { ...stalled, code: build.code, reason: `its build failed before: ${build.message}` };
  }
  if (setback?.toplevel === released.toplevel && needsSomeone(setback.failure)) {
    return { ...stalled, code: setback.failure.code, reason: setback.failure.message };
  }
  if (setback?.toplevel === released.toplevel && setback.unconfirmed >= 2) {
    return {
      ...stalled,
      code: 'UNCONFIRMED',
      reason: `${setback.action === 'reboot' ? 'rebooted' : 'activated'} ${setback.unconfirmed} times without a confirmation: ${setback.failure.message}`,
    };
  }
  const what = driftOf(view, released, remembered, state, mode);
  if (what !== undefined) {
    // Who is rolled back is held: what a person does to a host then is left to them.
    if (view.spec.drift === 'report' || released.pin?.cause === 'person') {
      return { ...stalled, code: 'DRIFTED', reason: `${what}; \`varve retry ${view.host}\` brings it back` };
    }
    // Whoever keeps changing it back is not fought with: each time in a row is waited for longer.
    const { heals } = remembered;
    const until = heals === undefined ? now : heals.at + doubled(firstHealMs, heals.count, longestHealMs);
    if (until > now) {
      return {
        kind: 'wait',
        waitsFor: 'back-off',
        until,
        code: 'DRIFTED',
        reason: `${what}; it was brought back ${heals?.count ?? 0} times in a row`,
      };
    }
  }
  return setback?.toplevel === released.toplevel
    ? pausedOrUnready(view, released, setback, patience, now)
    : undefined;
}

/** How a host that was confirmed on what is wanted differs from it, and who may have done that; `undefined`: no drift. */
export function driftOf(
  view: WantedView,
  released: Target,
  remembered: HostMemory,
  state: State,
  mode: Mode,
): string | undefined {
  const { confirmed, stuck } = remembered;
  const report = view.contact?.kind === 'reached' ? view.contact.report : undefined;
  const drifted =
    view.live === undefined &&
    // What a failed roll back has left is Varve's own doing.
    stuck === undefined &&
    confirmed?.toplevel === released.toplevel &&
    isAsConfirmed(confirmed, mode, report) &&
    !lostByReboot(view, released, mode) &&
    !mayReplace(view, remembered);
  if (!drifted) return undefined;
  const how = report?.drift === undefined ? '' : ` (${driftText(report.drift)})`;
  return `drift: it was confirmed on what is wanted and now ${state === 'persistent-differs' ? 'would boot' : 'runs'} something else${how}`;
}

/** Whether what was confirmed is there, or was, for as long as the mode asks for: what has yet to be brought has not drifted. */
function isAsConfirmed(confirmed: Confirmed, mode: Mode, report: ProbeReport | undefined): boolean {
  const awaits = awaitsReboot(confirmed, report?.current);
  if (confirmed.mode === mode || (mode === 'boot' && awaits)) return true;
  if (awaits || !isLasting(mode)) return false;
  if (confirmed.mode !== undefined) return isLasting(confirmed.mode);
  // Nobody has made lasting what a host ran when it was adopted: a reboot may have ended it.
  return report?.current !== confirmed.toplevel && report?.current !== report?.booted;
}

function isLasting(mode: Mode): boolean {
  return mode === 'switch' || mode === 'boot';
}

/** What is only tested is gone with a reboot, and tested again: nobody did anything to the host. */
function lostByReboot({ contact }: HostView, { testing }: Target, mode: Mode): boolean {
  return (
    (testing !== undefined || mode === 'test') &&
    contact?.kind === 'reached' &&
    contact.report.current === contact.report.booted
  );
}

/** A person saw this very drift, and asked for it to be replaced. */
function mayReplace({ contact }: HostView, { mayReplace: seen }: HostMemory): boolean {
  return seen !== undefined && contact?.kind === 'reached' && sameSystems(seen, contact.report);
}

/** Failures that no waiting mends. What the host as it is refuses for is seen by probes, and tried again. */
export function needsSomeone(failure: Failure): boolean {
  return (
    failure.disposition === 'stalled' &&
    !/^(HOST_|OWNED_BY|UNMANAGED|LOCK_HELD|TOKEN_REFUSED|PROGRAM_MISSING|INTERNAL)/.test(failure.code)
  );
}
