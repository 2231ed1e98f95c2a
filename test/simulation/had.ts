import type { Fact } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';

/** What hosts have for good, told from the facts alone. */
export interface Had {
  appended(fact: Fact): void;
  /** To be rebooted into it, or brought back to it, brings the host no release: waves and approvals have no say. */
  has(host: HostName, toplevel: StorePath): boolean;
}

export function createHad(): Had {
  const known = new Map<HostName, StorePath>();
  return {
    has: (host, toplevel) => known.get(host) === toplevel,
    appended(fact) {
      if (fact.kind === 'adopted' && fact.running !== undefined) known.set(fact.host, fact.running);
      if (fact.kind !== 'outcome') return;
      const { host, toplevel, mode } = fact.aim;
      if (fact.phase !== 'succeeded' && fact.phase !== 'awaiting-reboot') return;
      if (mode === 'switch' || mode === 'boot') known.set(host, toplevel);
      if (mode === 'test') known.delete(host);
    },
  };
}
