import type { HostContact } from '../../shared/domain/contact.ts';
import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import { hostsIn, type Amount } from '../../shared/domain/policy.ts';
import type { Had } from './had.ts';
import type { WorldPolicy } from './policy.ts';
import type { Wanted } from './wanted.ts';

export interface RolloutChecks {
  appended(fact: Fact): void;
  /** A probe's result reached the store. */
  contacted(contact: HostContact): void;
  /** Systems that a host was sent back to. */
  isWayBack(host: HostName, toplevel: StorePath): boolean;
}

/**
 * Invariants 2 and 4, judged by what the ledger has when an activation is decided: the budget is not exceeded, and no
 * host of a later wave gets what failed in an earlier one. Whom a person sends back is exempt from both.
 */
export function createRolloutChecks(deps: {
  readonly policy: WorldPolicy;
  readonly wanted: Wanted;
  readonly isSentBack: (host: HostName, toplevel: StorePath, at: number) => boolean;
  readonly goesBackWithWave: (host: HostName, toplevel: StorePath) => boolean;
  readonly had: Had;
  /** The host really runs a system, or boots it next. */
  readonly isThere: (host: HostName, toplevel: StorePath) => boolean;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): RolloutChecks {
  const { policy, wanted, require } = deps;
  const { rollout } = policy;
  const open = new Map<DeploymentId, HostName>();
  const looks = new Map<HostName, readonly HostContact['kind'][]>();
  /** The system with which it got stuck. */
  const stuck = new Map<HostName, StorePath>();
  const waysBack = new Map<HostName, Set<StorePath>>();
  /** The system that failed on a host by evidence, as long as it is what the newest observation wants there. */
  const failed = new Map<HostName, StorePath>();
  const budgets = budgetsOf(policy);

  /** `withWave`: nobody who is away or stuck keeps a host on what is to be taken back. */
  function checkBudget(
    id: DeploymentId,
    host: HostName,
    { what, most, has }: Budget,
    withWave: boolean,
  ): void {
    const isAway = (other: HostName): boolean => (looks.get(other) ?? []).includes('unreachable');
    const counts = (other: HostName): boolean =>
      has(other) && other !== host && wanted.on(other) !== undefined && !(withWave && isAway(other));
    // Somebody may have repaired it, or the revert have left nothing to be done.
    const isStuck = (other: HostName): boolean => {
      const toplevel = wanted.on(other);
      return (
        !withWave &&
        counts(other) &&
        (toplevel === undefined || toplevel === stuck.get(other) || !deps.isThere(other, toplevel))
      );
    };
    const busy = new Set([...[...open.values()].filter(counts), ...[...stuck.keys()].filter(isStuck)]);
    const count = busy.size + 1;
    const names = [...busy].join();
    require(count <=
      most, 2, host, `${id} makes ${count} hosts of ${what} unavailable, of at most ${most}: besides ${names}`);
  }

  function checkIntent({ at, aim }: FactOf<'intent'>): void {
    const { host, observation, toplevel, deployment } = aim;
    const isNewest = observation === wanted.newest()?.observation.n;
    const isTest = toplevel === wanted.testedOn(host);
    const withWave = deps.goesBackWithWave(host, toplevel);
    const isForward = isNewest && (toplevel === wanted.on(host) || isTest);
    if ((!isForward && !withWave) || deps.isSentBack(host, toplevel, at)) return;
    for (const budget of budgets) if (budget.has(host)) checkBudget(deployment, host, budget, withWave);
    open.set(deployment, host);
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
    contacted({ host, kind }) {
      looks.set(host, [...(looks.get(host) ?? []), kind].slice(-3));
    },
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
          const { deployment, host, toplevel, mode } = fact.aim;
          open.delete(deployment);
          if (fact.phase === 'stuck') stuck.set(host, toplevel);
          const confirmed = fact.phase === 'succeeded' || fact.phase === 'awaiting-reboot';
          if (confirmed && mode !== 'dry-activate') stuck.delete(host);
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

interface Budget {
  readonly what: string;
  readonly most: number;
  has(host: HostName): boolean;
}

function budgetsOf({ rollout, groups, of }: WorldPolicy): readonly Budget[] {
  const budget = (what: string, amount: Amount | undefined, has: Budget['has']): readonly Budget[] =>
    amount === undefined ? [] : [{ what, most: hostsIn(amount, 0), has }];
  return [
    ...budget('the fleet', rollout.maxUnavailable, () => true),
    ...groups.flatMap(({ name, maxUnavailable }) =>
      budget(`group ${name}`, maxUnavailable, (host) => of(host).groups.includes(name)),
    ),
  ];
}
