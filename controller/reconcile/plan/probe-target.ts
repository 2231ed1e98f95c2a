import type { HostContact, ProbeTarget } from '../../../shared/domain/contact.ts';
import { hostsOf, returningBy, type Desired } from '../../../shared/domain/desired.ts';
import type { Expected } from '../../../shared/domain/drift.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import { awaitsReboot, type HostMemory, type Memory } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Token } from '../../../shared/domain/token.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { candidateConnections } from './aim.ts';
import { retainOn, tidyOf } from './retention.ts';
import { askedBefore } from './readiness.ts';
import { targetOf } from './target.ts';
import { mayStart } from './windows.ts';

/** What a probe of a host is to do now. Pure; `undefined` if nobody knows how to reach it. */
export function probeTarget(
  host: HostName,
  input: {
    readonly desired: Desired;
    readonly memory: Memory;
    readonly snapshot: { readonly contacts: ReadonlyMap<HostName, HostContact> };
    readonly verdicts: ReadonlyMap<HostName, Verdict>;
    readonly fences: ReadonlyMap<HostName, Token>;
    readonly now: number;
  },
): ProbeTarget | undefined {
  const { desired, memory } = input;
  const remembered = memory.hosts.get(host);
  const contact = input.snapshot.contacts.get(host);
  const spec = hostsOf(returningBy(desired)).get(host);
  const connections = candidateConnections(remembered, contact, spec);
  if (connections.length === 0 || memory.owner === undefined) return undefined;
  const asked = remembered?.adoptAsked;
  const followed = desired.kind === 'ready' || desired.kind === 'evaluating';
  const adopts = asked !== undefined || (spec !== undefined && followed && desired.fleet.adopt === 'auto');
  const target = targetOf(host, desired, remembered, input.now);
  const ready = askedBefore(spec, remembered, target);
  const records = contact?.kind === 'reached' ? contact.report.records : [];
  const last = remembered?.lastOutcome?.aim.deployment;
  const acknowledged = new Set([
    ...records.map((record) => record.deployment).filter((id) => memory.outcomeOf.has(id)),
    ...(last === undefined ? [] : [last]),
  ]);
  return {
    host,
    askedAt: input.now,
    connections,
    ask: target === undefined ? [] : [target.toplevel],
    acknowledged: [...acknowledged],
    fence: input.fences.get(host),
    adopt: adopts ? { owner: memory.owner, takeover: asked?.takeover ?? false } : undefined,
    ...(ready.length === 0 ? {} : { ready }),
    checks: remembered?.adopted === undefined ? [] : (spec?.checks ?? []).filter((check) => !check.before),
    retain: retainOn(memory, remembered, spec),
    tidy: isOpen(spec, desired, memory, input.now)
      ? tidyOf({ spec, remembered, contact }, input.verdicts.get(host), memory, input.now)
      : undefined,
    expected: expectedOf(remembered, contact),
  };
}

/** What a host is to run and to boot by itself. What it is stuck on is not judged, nor what it booted before Varve. */
function expectedOf(
  remembered: HostMemory | undefined,
  contact: HostContact | undefined,
): Expected | undefined {
  const confirmed = remembered?.confirmed;
  if (confirmed === undefined || remembered?.stuck !== undefined) return undefined;
  const { mode, toplevel } = confirmed;
  const current = contact?.kind === 'reached' ? contact.report.current : undefined;
  return {
    // What it was to be booted into it may have been booted into since.
    runs: awaitsReboot(confirmed, current ?? confirmed.beforeReboot?.toplevel) ? undefined : toplevel,
    boots: mode === 'test' || mode === undefined ? undefined : toplevel,
  };
}

/** Whether the host's windows and the fleet's freezes let anything begin there now. */
function isOpen(spec: HostSpec | undefined, desired: Desired, { overrides }: Memory, now: number): boolean {
  if (spec === undefined || (desired.kind !== 'ready' && desired.kind !== 'evaluating')) return false;
  const { freezes } = desired.fleet;
  return mayStart({ windows: spec.windows, freezes, overrides, member: spec }, now).open;
}
