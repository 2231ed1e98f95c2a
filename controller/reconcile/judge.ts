import type { ProbeReport } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Desired } from '../../shared/domain/desired.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import { sameConnection, type Fleet, type HostSpec, type Mode } from '../../shared/domain/fleet.ts';
import { blankHost, type HostMemory, type Memory } from '../../shared/domain/memory.ts';
import type { StorePath } from '../../shared/domain/names.ts';
import type { Observation, ReleasedHost } from '../../shared/domain/observation.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import { isDoubtful } from './doubt.ts';
import type { HostView, Patience } from './plan-input.ts';

type Followed = Extract<Desired, { readonly kind: 'evaluating' | 'ready' }>;
type Said = Omit<Verdict, 'host' | 'deployment'>;

const quiet = { waitsFor: undefined, until: undefined, toplevel: undefined, code: undefined } as const;

/** The verdict on a host that the newest observation names and that has no activation under way. */
export function judgeManaged(
  view: HostView & { readonly spec: HostSpec },
  desired: Followed,
  memory: Memory,
  patience: Patience,
  now: number,
): Verdict {
  const remembered = view.remembered ?? blankHost;
  const said =
    beforeContact(view, remembered, now) ??
    ownership(view, desired.fleet, memory, remembered) ??
    underWay(view, memory, patience, now) ??
    wanted(view, desired, memory, remembered, patience, now);
  return { ...said, host: view.host, deployment: view.live?.id };
}

/**
 * What is still to be found out on a host that the repository does not name: how its last activation ended. It is
 * asked, and otherwise left alone.
 */
export function judgeUnsettled(
  view: HostView,
  memory: Memory,
  patience: Patience,
  now: number,
): Verdict | undefined {
  const remembered = view.remembered ?? blankHost;
  if (remembered.openIntents.size === 0) return undefined;
  const said = beforeContact(view, remembered, now) ?? underWay(view, memory, patience, now);
  return said === undefined ? undefined : { ...said, host: view.host, deployment: view.live?.id };
}

/** What can be said before the host has answered in this life of the store. */
function beforeContact(view: HostView, remembered: HostMemory, now: number): Said | undefined {
  const { contact } = view;
  if (contact === undefined) {
    return {
      ...quiet,
      kind: 'probe',
      waitsFor: 'host',
      reason: 'not probed yet since this controller leads',
    };
  }
  if (contact.kind === 'unreachable') {
    const unsettled =
      remembered.openIntents.size > 0 ? '; the outcome of an activation is unknown until it answers' : '';
    return {
      ...quiet,
      kind: 'unreachable',
      waitsFor: 'host',
      until: nextProbeAt(contact.attempts, contact.askedAt, now),
      code: contact.failure.code,
      reason: `${contact.failure.message}${unsettled}`,
    };
  }
  if (remembered.lastOutcome !== undefined && contact.askedAt < remembered.lastOutcome.at) {
    return { ...quiet, kind: 'probe', waitsFor: 'host', reason: 'something ended here since the last probe' };
  }
  return undefined;
}

/** When an unreachable host is tried again: after 2 s, 4 s, 8 s … at most a minute; it catches up by itself. */
export function nextProbeAt(attempts: number, lastAskedAt: number, now: number): number {
  const wait = Math.min(1000 * 2 ** Math.min(attempts, 6), 60_000);
  return Math.max(lastAskedAt + wait, now);
}

function ownership(
  view: HostView & { readonly spec: HostSpec },
  fleet: Fleet,
  memory: Memory,
  remembered: HostMemory,
): Said | undefined {
  if (view.contact?.kind !== 'reached') return undefined;
  const { owner } = view.contact.report;
  const asked = remembered.adoptAsked;
  if (owner === memory.owner && owner !== undefined) {
    return remembered.adopted === undefined
      ? { ...quiet, kind: 'probe', waitsFor: 'adoption', reason: 'its adoption is being written down' }
      : undefined;
  }
  if (owner === undefined) {
    if (fleet.adopt === 'auto' || asked !== undefined) {
      return {
        ...quiet,
        kind: 'probe',
        waitsFor: 'adoption',
        reason: 'it has no owner and is being adopted',
      };
    }
    return {
      ...quiet,
      kind: 'unmanaged',
      waitsFor: 'person',
      code: 'UNMANAGED',
      reason: `it has no owner: \`varve adopt ${view.host}\` makes it one of this fleet (or set \`adopt: auto\`)`,
    };
  }
  if (asked?.takeover === true) {
    return {
      ...quiet,
      kind: 'probe',
      waitsFor: 'adoption',
      reason: `it is being taken over from owner ${owner}`,
    };
  }
  return {
    ...quiet,
    kind: 'stalled',
    waitsFor: 'person',
    code: 'OWNED_BY',
    reason: `another Varve (owner ${owner}) has it: \`varve adopt ${view.host} --takeover\` takes it over`,
  };
}

/** Something goes on at the host that the store does not know: left by a store that was lost, or by a person. */
function underWay(view: HostView, memory: Memory, patience: Patience, now: number): Said | undefined {
  if (view.contact?.kind !== 'reached') return undefined;
  const { report, askedAt } = view.contact;
  const again = Math.max(askedAt + patience.lookAgainMs, now);
  const open = report.records.find((record) => record.end === undefined);
  if (open !== undefined) {
    return {
      ...quiet,
      kind: 'wait',
      waitsFor: 'recovery',
      until: again,
      reason: `deployment ${open.deployment} is still under way on the host`,
    };
  }
  // The intent of a deployment that has yet to be activated leaves nothing to be found out.
  const expected = view.live !== undefined && !isDoubtful(view.live, memory) ? view.live.id : undefined;
  if ([...(view.remembered?.openIntents.keys() ?? [])].some((id) => id !== expected)) {
    return {
      ...quiet,
      kind: 'wait',
      waitsFor: 'recovery',
      until: again,
      reason: 'how its last activation ended is being found out',
    };
  }
  if (report.locked) {
    return {
      ...quiet,
      kind: 'wait',
      waitsFor: 'lock',
      until: again,
      code: 'LOCK_HELD',
      reason: 'someone else is switching its configuration',
    };
  }
  return undefined;
}

function wanted(
  view: HostView & { readonly spec: HostSpec },
  desired: Followed,
  memory: Memory,
  remembered: HostMemory,
  patience: Patience,
  now: number,
): Said {
  if (desired.kind === 'evaluating') {
    return {
      ...quiet,
      kind: 'wait',
      waitsFor: 'evaluation',
      reason: `the tree of observation ${desired.observation.n} is being evaluated`,
    };
  }
  const released = desired.release.hosts.get(view.host);
  if (released === undefined || view.contact?.kind !== 'reached') {
    return {
      ...quiet,
      kind: 'stalled',
      waitsFor: 'commit or retry',
      code: 'EVALUATION_FAILED',
      reason: `the release of observation ${desired.observation.n} has no system for it`,
    };
  }
  const aim = { ...quiet, toplevel: released.toplevel };
  const { report, askedAt } = view.contact;
  const mode = effectiveMode(view.spec.mode, released.toplevel, remembered);
  const state = compare(report, released.toplevel, mode, remembered);
  if (view.live !== undefined && (state !== 'differs' || !stillWanted(view.live, view.spec, released))) {
    if (
      !(
        state === 'persistent-differs' &&
        view.live.action === 'finalise' &&
        view.live.toplevel === released.toplevel
      )
    ) {
      return {
        ...aim,
        kind: 'superseded',
        reason: `observation ${desired.observation.n} wants something else than deployment ${view.live.id}`,
      };
    }
  }
  if (state === 'in-sync') {
    return { ...aim, kind: 'in-sync', reason: inSyncReason(remembered, desired.observation, mode) };
  }
  if (state === 'reboot') {
    return {
      ...aim,
      kind: 'wait',
      waitsFor: 'reboot',
      reason: 'it is set for the next boot; the running system is the one before',
    };
  }
  const obstacle = obstacleTo(view, released, memory, remembered, state, mode, patience, now);
  if (obstacle !== undefined) return { ...aim, ...obstacle };
  if (view.live === undefined && askedAt < desired.observation.at) {
    return { ...aim, kind: 'probe', waitsFor: 'host', reason: 'probed before anything is done to it' };
  }
  if (view.live?.phase === 'delivered') {
    return { ...aim, kind: 'activate', reason: `delivered, and free to be activated` };
  }
  if (state === 'persistent-differs') {
    return { ...aim, kind: 'finalise', reason: 'it runs what is wanted, but would boot something else' };
  }
  return {
    ...aim,
    kind: 'deliver',
    reason:
      view.live === undefined
        ? `observation ${desired.observation.n} wants another system than the one that runs`
        : `deployment ${view.live.id} is ${view.live.phase}`,
  };
}

type State = 'in-sync' | 'reboot' | 'persistent-differs' | 'differs';

/** A host whose switch turned out to need a reboot is from then on judged as one of mode `boot`. */
function effectiveMode(mode: Mode, toplevel: StorePath, remembered: HostMemory): Mode {
  const { confirmed } = remembered;
  return mode === 'switch' && confirmed?.awaitingReboot === true && confirmed.toplevel === toplevel
    ? 'boot'
    : mode;
}

function compare(report: ProbeReport, toplevel: StorePath, mode: Mode, remembered: HostMemory): State {
  const persistent = report.profile === toplevel && report.bootDefault === toplevel;
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

/** A live delivery goes on under a newer observation that wants the very same thing in the same way. */
function stillWanted(live: Deployment, spec: HostSpec, released: ReleasedHost): boolean {
  return (
    live.toplevel === released.toplevel &&
    live.mode === spec.mode &&
    sameConnection(live.next, spec.connection) &&
    JSON.stringify(live.checks) === JSON.stringify(spec.checks)
  );
}

function inSyncReason(remembered: HostMemory, observation: Observation, mode: Mode): string {
  const { confirmed } = remembered;
  if (mode === 'dry-activate') return 'its dry activation succeeded';
  if (confirmed !== undefined && confirmed.observation < observation.n) {
    return `unchanged by observation ${observation.n}: the same system since observation ${confirmed.observation}`;
  }
  return 'it runs what is wanted';
}

/** What stands between a host and its new system: remembered failures, drift, back-off. */
function obstacleTo(
  view: HostView,
  released: ReleasedHost,
  memory: Memory,
  remembered: HostMemory,
  state: State,
  mode: Mode,
  patience: Patience,
  now: number,
): (Partial<Said> & Pick<Said, 'kind' | 'reason'>) | undefined {
  const { failed, setback, confirmed } = remembered;
  const stalled = { kind: 'stalled', waitsFor: 'commit or retry' } as const;
  if (failed?.toplevel === released.toplevel) {
    return {
      ...stalled,
      code: failed.failure.code,
      reason: `it failed here before: ${failed.failure.message}`,
    };
  }
  const build = memory.failedBuilds.get(released.drvPath);
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
      reason: `activated ${setback.unconfirmed} times without a confirmation: ${setback.failure.message}`,
    };
  }
  const drifted =
    view.live === undefined &&
    setback === undefined &&
    // What a failed roll back has left is Varve's own doing.
    !remembered.stuck &&
    confirmed?.toplevel === released.toplevel &&
    confirmed.mode === mode &&
    (remembered.retriedAt ?? 0) < confirmed.at;
  if (drifted) {
    const what = state === 'differs' ? 'runs' : 'would boot';
    return {
      ...stalled,
      code: 'DRIFTED',
      reason: `drift: it was confirmed on what is wanted and now ${what} something else; \`varve retry ${view.host}\` brings it back`,
    };
  }
  if (setback?.toplevel === released.toplevel) {
    const until = setback.at + backOff(setback.count, patience);
    if (until > now) {
      return {
        kind: 'wait',
        waitsFor: 'back-off',
        until,
        code: setback.failure.code,
        reason: `attempt ${setback.count} failed: ${setback.failure.message}`,
      };
    }
  }
  return undefined;
}

/** Failures that no waiting mends. What the host as it is refuses for is seen by probes, and tried again. */
function needsSomeone(failure: Failure): boolean {
  return (
    failure.disposition === 'stalled' &&
    !/^(HOST_|OWNED_BY|LOCK_HELD|TOKEN_REFUSED|PROGRAM_MISSING|INTERNAL)/.test(failure.code)
  );
}

/** Doubles with every setback in a row, in milliseconds. */
export function backOff(count: number, patience: Patience): number {
  return Math.min(patience.backOffMs * 2 ** Math.min(count - 1, 20), patience.longestBackOffMs);
}
