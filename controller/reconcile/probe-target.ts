import type { ProbeTarget } from '../../shared/domain/contact.ts';
import { hostsOf, type Desired } from '../../shared/domain/desired.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Token } from '../../shared/domain/token.ts';
import { candidateConnections } from './aim.ts';
import type { Snapshot } from './observe.ts';

/** What a probe of a host is to do now. Pure; `undefined` if nobody knows how to reach it. */
export function probeTarget(
  host: HostName,
  input: {
    readonly desired: Desired;
    readonly memory: Memory;
    readonly snapshot: Pick<Snapshot, 'contacts'>;
    readonly fences: ReadonlyMap<HostName, Token>;
    readonly now: number;
  },
): ProbeTarget | undefined {
  const { desired, memory } = input;
  const remembered = memory.hosts.get(host);
  const contact = input.snapshot.contacts.get(host);
  const spec = hostsOf(desired).get(host);
  const connections = candidateConnections(remembered, contact, spec);
  if (connections.length === 0 || memory.owner === undefined) return undefined;
  const asked = remembered?.adoptAsked;
  const followed = desired.kind === 'ready' || desired.kind === 'evaluating';
  const adopts = asked !== undefined || (spec !== undefined && followed && desired.fleet.adopt === 'auto');
  const toplevel = desired.kind === 'ready' ? desired.release.hosts.get(host)?.toplevel : undefined;
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
    ask: toplevel === undefined ? [] : [toplevel],
    acknowledged: [...acknowledged],
    fence: input.fences.get(host),
    adopt: adopts ? { owner: memory.owner, takeover: asked?.takeover ?? false } : undefined,
  };
}

/** What the targets in the store ask for, as far as this leadership wrote them. */
export interface AskedProbes {
  note(target: ProbeTarget): void;
  /** The last target of the host asks for all that this one does, and was written after the last thing that matters. */
  covers(target: ProbeTarget): boolean;
  /** Something happened at this time that a probe asked before it cannot have seen. */
  outdate(host: HostName, at: number): void;
}

export function createAskedProbes(): AskedProbes {
  const last = new Map<HostName, ProbeTarget>();
  return {
    note: (target) => void last.set(target.host, target),
    covers(target) {
      const before = last.get(target.host);
      return before !== undefined && same(before, target);
    },
    outdate(host, at) {
      const before = last.get(host);
      if (before !== undefined && before.askedAt < at) last.delete(host);
    },
  };
}

function same(a: ProbeTarget, b: ProbeTarget): boolean {
  return JSON.stringify({ ...a, askedAt: 0 }) === JSON.stringify({ ...b, askedAt: 0 });
}
