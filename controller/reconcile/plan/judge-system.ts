import type { ProbeReport } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import { sameConnection, sameTimeouts, type HostSpec, type Mode } from '../../../shared/domain/fleet.ts';
import { awaitsReboot, type HostMemory, type Memory, type Pin } from '../../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../../shared/domain/names.ts';
import type { Observation } from '../../../shared/domain/observation.ts';
import { sameData } from '../../../shared/domain/same-data.ts';
import { testingBranchOf, type Testing } from '../../../shared/domain/testing.ts';
import { driftOf, obstacleTo } from './judge-obstacle.ts';
import { isRebootDue, rebootOf, type RebootAdvice } from './reboot.ts';
import { rebootWindow } from './reboot-window.ts';
import { awaitingRelease, quiet, type Followed, type Said, type State } from './judge-said.ts';
import type { HostView, Patience, WantedView } from './plan-input.ts';
import { checksFor, connectionFor, modeFor, targetOf, unitFailuresFor, type Target } from './target.ts';

/** The system that is wanted against the one that runs: what a host of ours that answers needs next. */
export function judgeSystem(
  view: WantedView,
  desired: Followed,
  memory: Memory,
  remembered: HostMemory,
  patience: Patience,
  now: number,
): Said {
  const target = targetOf(view.host, desired, remembered, now);
  if (target === undefined && desired.kind === 'evaluating') return awaitingRelease(desired);
  if (target === undefined || view.contact?.kind !== 'reached') {
    return {
      ...quiet,
      kind: 'stalled',
      waitsFor: 'commit or retry',
      code: 'EVALUATION_FAILED',
      reason: `the release of observation ${desired.observation.n} has no system for it`,
    };
  }
  const aim: Aimed = { ...quiet, toplevel: target.toplevel };
  const { report, askedAt } = view.contact;
  const mode = effectiveMode(modeFor(target, view.spec), target.toplevel, remembered, report);
  const state = compare(report, target.toplevel, mode, remembered);
  // With nothing left to wait for, somebody has switched it to something else since it was booted.
  const strayed = state === 'reboot' && !awaitsReboot(remembered.confirmed, report.current);
  const drift = strayed
    ? obstacleTo(view, target, memory, remembered, state, mode, patience, now)
    : undefined;
  if (drift?.code === 'DRIFTED') return { ...aim, ...drift };
  const reboot = isRebootDue({ state, mode, report })
    ? rebootOf({
        view,
        target,
        state,
        mode,
        report,
        remembered,
        window: rebootWindow(view.spec, desired, memory, now),
        patience,
        now,
      })
    : undefined;
  if (view.live !== undefined && !servesTo(state, view.live, view.spec, target, memory, reboot)) {
    return {
      ...aim,
      kind: 'superseded',
      reason:
        state === 'in-sync'
          ? `it runs what is wanted without deployment ${view.live.id}`
          : `${whoWants(view.host, target, desired.observation)} something else than deployment ${view.live.id}`,
    };
  }
  if (state === 'in-sync' && target.pin !== undefined) return { ...aim, ...atPin(target.pin, remembered) };
  if (reboot?.kind === 'not-yet') return { ...aim, ...reboot.said };
  if (reboot?.kind === 'now') return judgeReboot(view, aim, reboot.reason, desired.observation);
  if (state === 'in-sync') {
    const reason = inSyncReason(view.host, target, remembered, desired.observation, mode);
    if (reboot === undefined) return { ...aim, kind: 'in-sync', reason };
    return { ...aim, kind: 'in-sync', until: reboot.until, reason: `${reason}; ${reboot.note}` };
  }
  const obstacle = obstacleTo(view, target, memory, remembered, state, mode, patience, now);
  if (obstacle !== undefined) return { ...aim, ...obstacle };
  if (view.live === undefined && askedAt < (target.pin?.at ?? target.testing?.at ?? desired.observation.at)) {
    return { ...aim, kind: 'probe', waitsFor: 'host', reason: 'probed before anything is done to it' };
  }
  if (view.live?.phase === 'delivered') {
    return { ...aim, kind: 'activate', reason: `delivered, and free to be activated` };
  }
  // What is brought back is the reason by which the ledger remembers that it had to be.
  const healed = driftOf(view, target, remembered, state, mode);
  if (state === 'persistent-differs') {
    const reason = healed ?? 'it runs what is wanted, but would boot something else';
    return { ...aim, kind: 'finalise', reason };
  }
  return {
    ...aim,
    kind: 'deliver',
    reason:
      view.live === undefined
        ? (healed ??
          `${whoWants(view.host, target, desired.observation)} another system than the one that runs`)
        : `deployment ${view.live.id} is ${view.live.phase}`,
  };
}

function whoWants(host: HostName, { pin, testing }: Target, observation: Observation): string {
  if (testing !== undefined) return `${testingText(host, testing)} wants`;
  return pin === undefined ? `observation ${observation.n} wants` : `${pin.by} wants (${pin.reason})`;
}

function testingText(host: HostName, { revision }: Testing): string {
  return `revision ${revision.slice(0, 12)} of ${testingBranchOf(host)}`;
}

/** It is back on what it was to return to. */
function atPin(pin: Pin, { hold }: HostMemory): Omit<Said, 'toplevel'> {
  if (pin.cause === 'wave') {
    return {
      kind: 'stalled',
      waitsFor: 'commit or retry',
      until: undefined,
      code: 'ROLLED_BACK_WITH_WAVE',
      reason: `it was rolled back: ${pin.reason}`,
    };
  }
  return {
    kind: 'held',
    waitsFor: 'person',
    until: hold?.until,
    code: undefined,
    reason: `rolled back by ${pin.by} to the system of observation ${pin.to.observation}: ${pin.reason}`,
  };
}

/** What all verdicts on one host have in common here. */
type Aimed = Omit<Said, 'kind' | 'reason'>;

/** A reboot is a deployment of its own: made, and once the host was found to have all that it needs, carried out. */
function judgeReboot(view: HostView, aim: Aimed, reason: string, observation: Observation): Said {
  if (view.live === undefined && view.contact !== undefined && view.contact.askedAt < observation.at) {
    return { ...aim, kind: 'probe', waitsFor: 'host', reason: 'probed before it is rebooted' };
  }
  return {
    ...aim,
    kind: view.live?.phase === 'delivered' ? 'activate' : 'deliver',
    action: 'reboot',
    reason,
  };
}

/** A host whose switch turned out to need a reboot is until then judged as one of mode `boot`. */
function effectiveMode(
  mode: Mode,
  toplevel: StorePath,
  { confirmed }: HostMemory,
  { current }: ProbeReport,
): Mode {
  return mode === 'switch' && confirmed?.toplevel === toplevel && awaitsReboot(confirmed, current)
    ? 'boot'
    : mode;
}

function compare(report: ProbeReport, toplevel: StorePath, mode: Mode, remembered: HostMemory): State {
  // Not every boot loader can be read (unified kernel images, containers): then the profile has to do.
  const { bootDefault = toplevel } = report;
  const persistent = report.profile === toplevel && bootDefault === toplevel;
  switch (mode) {
    case 'switch':
      if (report.current !== toplevel) return 'differs';
      return persistent ? 'in-sync' : 'persistent-differs';
    case 'boot':
      if (!persistent) return 'differs';
      // Not `booted`: a host that was booted into it once may have been switched to something else since.
      return report.current === toplevel ? 'in-sync' : 'reboot';
    case 'test':
      return report.current === toplevel ? 'in-sync' : 'differs';
    case 'dry-activate':
      return remembered.dryRun === toplevel || report.current === toplevel ? 'in-sync' : 'differs';
  }
}

/** Whether carrying the live deployment on brings its host from `state` to what is wanted. */
function servesTo(
  state: State,
  live: Deployment,
  spec: HostSpec,
  target: Target,
  memory: Memory,
  reboot: RebootAdvice | undefined,
): boolean {
  if (live.action === 'reboot') return reboot !== undefined && live.toplevel === target.toplevel;
  if (state === 'differs') return stillWanted(live, spec, target, memory);
  return state === 'persistent-differs' && live.action === 'finalise' && live.toplevel === target.toplevel;
}

/** A live delivery goes on under a newer observation that wants the very same thing in the same way. */
function stillWanted(live: Deployment, spec: HostSpec, target: Target, memory: Memory): boolean {
  return (
    live.toplevel === target.toplevel &&
    live.mode === modeFor(target, spec) &&
    sameConnection(live.next, connectionFor(target, spec, memory)) &&
    sameConnection(live.nextFallback ?? live.next, spec.connection) &&
    sameData(live.checks, checksFor(target, spec)) &&
    sameTimeouts(live.timeouts, spec.timeouts) &&
    live.unitFailures === unitFailuresFor(target, spec)
  );
}

function inSyncReason(
  host: HostName,
  { testing }: Target,
  remembered: HostMemory,
  observation: Observation,
  mode: Mode,
): string {
  const { confirmed } = remembered;
  if (mode === 'dry-activate') return 'its dry activation succeeded';
  if (testing !== undefined) return `testing ${testingText(host, testing)}`;
  if (confirmed !== undefined && confirmed.observation < observation.n) {
    return `unchanged by observation ${observation.n}: the same system since observation ${confirmed.observation}`;
  }
  return 'it runs what is wanted';
}
