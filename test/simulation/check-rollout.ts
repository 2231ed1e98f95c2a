import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Had } from './had.ts';
import type { WorldPolicy } from './policy.ts';
import type { Wanted } from './wanted.ts';

export interface RolloutChecks {
  appended(fact: Fact): void;
  /** Systems that a host was sent back to. */
  isWayBack(host: HostName, toplevel: StorePath): boolean;
}

/**
 * Invariant 4, judged by what the ledger has when an activation is decided: no host of a later wave gets what failed in an
 * earlier one. Whom a person sends back is exempt.
 */
export function createRolloutChecks(deps: {
  readonly policy: WorldPolicy;
  readonly wanted: Wanted;
  readonly isSentBack: (host: HostName, toplevel: StorePath, at: number) => boolean;
  readonly goesBackWithWave: (host: HostName, toplevel: StorePath) => boolean;
  readonly had: Had;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): RolloutChecks {
  const { policy, wanted, require } = deps;
  const { rollout } = policy;
  const waysBack = new Map<HostName, Set<StorePath>>();
  /** The system that failed on a host by evidence, as long as it is what the newest observation wants there. */
  const failed = new Map<HostName, StorePath>();

  function checkIntent({ at, aim }: FactOf<'intent'>): void {
    const { host, observation, toplevel, deployment } = aim;
    const isNewest = observation === wanted.newest()?.observation.n;
    const isTest = toplevel === wanted.testedOn(host);
    const withWave = deps.goesBackWithWave(host, toplevel);
    const isForward = isNewest && (toplevel === wanted.on(host) || isTest);
    if ((!isForward && !withWave) || deps.isSentBack(host, toplevel, at)) return;
    if (isTest || withWave || deps.had.has(host, toplevel)) return;
    if (rollout.onFailure === 'continue') return;
    const waves = rollout.waves.map(({ name }) => name);
    const own = waves.indexOf(policy.of(host).wave);
    for (const [other, system] of failed) {
      const before = waves.indexOf(policy.of(other).wave) < own && system === wanted.on(other);
      require(!before, 4, host, `${deployment} lets a later wave have what failed on ${other}`);
    }
  }

  return {
    isWayBack: (host, toplevel) => waysBack.get(host)?.has(toplevel) ?? false,
    appended(fact) {
      switch (fact.kind) {
        case 'observation':
          for (const [host, system] of failed) if (system !== wanted.on(host)) failed.delete(host);
          return;
        case 'retry':
          if (fact.host === undefined) failed.clear();
          else failed.delete(fact.host);
          return;
        case 'pin':
          waysBack.set(fact.host, (waysBack.get(fact.host) ?? new Set()).add(fact.to.toplevel));
          return;
        case 'intent':
          checkIntent(fact);
          return;
        case 'outcome': {
          const { host, toplevel } = fact.aim;
          // What has yet to be evaluated is not known to be wanted.
          const known = wanted.isEvaluated();
          if (known && fact.evidence && toplevel === wanted.on(host)) failed.set(host, toplevel);
          if (fact.phase === 'succeeded' && failed.get(host) === toplevel) failed.delete(host);
          return;
        }
        default:
          return;
      }
    },
  };
}
