import type { Fleet } from '../../../shared/domain/fleet.ts';
import { blankHost, type HostMemory, type Memory } from '../../../shared/domain/memory.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { isDoubtful } from './doubt.ts';
import { quiet, type Followed, type Said } from './judge-said.ts';
import { judgeSystem } from './judge-system.ts';
import { doubled, type HostView, type Patience, type WantedView } from './plan-input.ts';
import { targetOf } from './target.ts';

/** The verdict on a host that the newest observation names and that has no activation under way. */
export function judgeManaged(
  view: WantedView,
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
    judgeSystem(view, desired, memory, remembered, patience, now);
  const toplevel = said.toplevel ?? targetOf(view.host, desired, view.remembered, now)?.toplevel;
  return { ...said, host: view.host, deployment: view.live?.id, toplevel };
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
  const wait = doubled(2_000, attempts, 60_000);
  return Math.max(lastAskedAt + wait, now);
}

function ownership(view: WantedView, fleet: Fleet, memory: Memory, remembered: HostMemory): Said | undefined {
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

/** An operation on the host that the store does not know of: left from before the store was lost, or a person's. */
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
