import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import { hostsIn } from '../../shared/domain/policy.ts';
import type { Repository } from './models/model-source.ts';
import type { Systems } from './models/systems.ts';
import type { WorldPolicy } from './policy.ts';

export interface RolloutChecks {
  appended(fact: Fact): void;
  /** Systems that a host was sent back to. */
  isWayBack(host: HostName, toplevel: StorePath): boolean;
}

/**
 * Invariants 2 and 4, judged by what the ledger has when an activation is decided: the budget is not exceeded, and no
 * host of a later wave gets what failed in an earlier one. Roll backs are exempt from both.
 */
export function createRolloutChecks(deps: {
  readonly repository: Repository;
  readonly systems: Systems;
  readonly policy: WorldPolicy;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): RolloutChecks {
  const { policy, require } = deps;
  const { rollout } = policy;
  const open = new Map<DeploymentId, HostName>();
  const stuck = new Set<HostName>();
  const waysBack = new Map<HostName, Set<StorePath>>();
  /** The system that failed on a host by evidence, as long as it is what the newest observation wants there. */
  const failed = new Map<HostName, StorePath>();
  const released = new Set<string>();
  let newest: FactOf<'observation'>['observation'] | undefined;
  let newestKey: string | undefined;

  function wantedOn(host: HostName): StorePath | undefined {
    const content = newest && deps.repository.find(newest.revision)?.content.hosts.get(host);
    return content === undefined ? undefined : deps.systems.of(host, content).toplevel;
  }

  function checkIntent({ aim }: FactOf<'intent'>): void {
    const { host, observation, toplevel, deployment } = aim;
    if (observation !== newest?.n || toplevel !== wantedOn(host)) return;
    const others = [...open].filter(([, other]) => other !== host && wantedOn(other) !== undefined);
    open.set(deployment, host);
    if (rollout.maxUnavailable !== undefined) {
      const most = hostsIn(rollout.maxUnavailable, 0);
      const away = [...stuck].filter((other) => other !== host && wantedOn(other) !== undefined);
      const count = new Set([...others.map(([, other]) => other), ...away]).size + 1;
      require(count <=
        most, 2, host, `${deployment} makes ${count} hosts unavailable, of at most ${most}: ${[...others.flat(), ...away].join()}`);
    }
    if (rollout.onFailure === 'continue') return;
    const waves = rollout.waves.map(({ name }) => name);
    const own = waves.indexOf(policy.waveOf(host));
    for (const [other, system] of failed) {
      const before = waves.indexOf(policy.waveOf(other)) < own && system === wantedOn(other);
      require(!before, 4, host, `${deployment} lets a later wave have what failed on ${other}`);
    }
  }

  return {
    isWayBack: (host, toplevel) => waysBack.get(host)?.has(toplevel) ?? false,
    appended(fact) {
      switch (fact.kind) {
        case 'observation':
          newest = fact.observation;
          newestKey = fact.key;
          for (const [host, system] of failed) if (system !== wantedOn(host)) failed.delete(host);
          return;
        case 'release':
          released.add(fact.release.key);
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
          const { deployment, host, toplevel, mode } = fact.aim;
          open.delete(deployment);
          if (fact.phase === 'stuck') stuck.add(host);
          const confirmed = fact.phase === 'succeeded' || fact.phase === 'awaiting-reboot';
          if (confirmed && mode !== 'dry-activate') stuck.delete(host);
          // What has yet to be evaluated is not known to be wanted.
          const known = newestKey !== undefined && released.has(newestKey);
          if (known && fact.evidence && toplevel === wantedOn(host)) failed.set(host, toplevel);
          if (fact.phase === 'succeeded' && failed.get(host) === toplevel) failed.delete(host);
          return;
        }
        default:
          return;
      }
    },
  };
}
