import type { ProbeTarget } from '../../shared/domain/contact.ts';
import type { HostName } from '../../shared/domain/names.ts';

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
