import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { HostName, Revision, StorePath } from '../../shared/domain/names.ts';
import type { Repository } from './models/model-source.ts';
import type { Systems } from './models/systems.ts';

/** What is wanted where, by what the ledger says was seen and by what the repository really holds there. */
export interface Wanted {
  appended(fact: Fact): void;
  newest(): FactOf<'observation'> | undefined;
  /** The newest observation has its release. */
  isEvaluated(): boolean;
  /** What the newest observation wants on a host; `undefined` if it does not name it. */
  on(host: HostName): StorePath | undefined;
  /** The same by the newest observation that has its release. */
  knownOn(host: HostName): StorePath | undefined;
  /** The hosts of the newest observation. */
  hosts(): readonly HostName[];
  /** Hosts and systems of an observation; none until it has its release. */
  systemsOf(n: number): ReadonlyMap<HostName, StorePath>;
  /** What a host is to test: its branch was seen on top of the newest observation, and differs from that. */
  testedOn(host: HostName): StorePath | undefined;
  /** The same, once its tree has been evaluated. */
  testedForSure(host: HostName): StorePath | undefined;
  /** The host's branch has been at that revision, on top of what was tracked. */
  hasTested(host: HostName, revision: Revision): boolean;
}

export function createWanted(deps: { readonly repository: Repository; readonly systems: Systems }): Wanted {
  const { repository, systems } = deps;
  const observations = new Map<number, FactOf<'observation'>>();
  const released = new Map<string, ReadonlySet<HostName>>();
  const tested = new Set<string>();
  const branches = new Map<HostName, FactOf<'testing'>['branch']>();
  let newest: FactOf<'observation'> | undefined;
  let known: FactOf<'observation'> | undefined;

  function systemOf(revision: Revision | undefined, host: HostName): StorePath | undefined {
    const commit = revision === undefined ? undefined : repository.find(revision);
    const content = commit?.content.hosts.get(host);
    return content === undefined ? undefined : systems.of(host, content).toplevel;
  }

  function isEvaluated(): boolean {
    return newest?.key !== undefined && released.has(newest.key);
  }

  function learn(): void {
    if (isEvaluated()) known = newest;
  }

  function testedOn(host: HostName): StorePath | undefined {
    const branch = branches.get(host);
    if (branch === undefined || branch.ignored !== undefined) return undefined;
    if (branch.onto !== newest?.observation.revision) return undefined;
    const own = systemOf(branch.revision, host);
    return own === systemOf(newest.observation.revision, host) ? undefined : own;
  }

  return {
    newest: () => newest,
    isEvaluated,
    on: (host) => systemOf(newest?.observation.revision, host),
    knownOn: (host) => systemOf(known?.observation.revision, host),
    hosts() {
      const commit = newest && repository.find(newest.observation.revision);
      return [...(commit?.content.hosts.keys() ?? [])];
    },
    systemsOf(n) {
      const seen = observations.get(n);
      if (seen?.key === undefined || !released.has(seen.key)) return new Map();
      const hosts = [...(repository.find(seen.observation.revision)?.content.hosts ?? [])];
      return new Map(hosts.map(([host, content]) => [host, systems.of(host, content).toplevel]));
    },
    testedOn,
    hasTested: (host, revision) => tested.has(`${host} ${revision}`),
    testedForSure(host) {
      const key = branches.get(host)?.key;
      return key !== undefined && released.get(key)?.has(host) === true ? testedOn(host) : undefined;
    },
    appended(fact) {
      switch (fact.kind) {
        case 'observation':
          newest = fact;
          observations.set(fact.observation.n, fact);
          return learn();
        case 'release':
          released.set(fact.release.key, new Set(fact.release.hosts.keys()));
          return learn();
        case 'testing':
          branches.set(fact.host, fact.branch);
          if (fact.branch?.ignored === undefined) tested.add(`${fact.host} ${fact.branch?.revision}`);
          return;
        default:
          return;
      }
    },
  };
}
