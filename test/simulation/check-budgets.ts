import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import type { Amount } from '../../shared/domain/policy.ts';
import type { Looks } from './looks.ts';
import type { WorldPolicy } from './policy.ts';
import type { Rollouts } from './rollouts.ts';
import type { Wanted } from './wanted.ts';

export interface BudgetChecks {
  appended(fact: Fact): void;
}

interface Budget {
  readonly what: string;
  readonly amount: Amount;
  has(host: HostName): boolean;
}

/**
 * Invariant 2, judged by what the ledger and the last looks have when an activation is decided: what is under way, stuck,
 * or went away since the rollout began stays within every budget, and no more hosts reboot at once than may. Whom a
 * person sends back is exempt from the first of them.
 */
export function createBudgetChecks(deps: {
  readonly policy: WorldPolicy;
  readonly wanted: Wanted;
  readonly looks: Looks;
  readonly rollouts: Rollouts;
  readonly isSentBack: (host: HostName, toplevel: StorePath, at: number) => boolean;
  readonly goesBackWithWave: (host: HostName, toplevel: StorePath) => boolean;
  /** The host really runs a system, or boots it next. */
  readonly isThere: (host: HostName, toplevel: StorePath) => boolean;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): BudgetChecks {
  const { policy, wanted, looks, rollouts, require } = deps;
  const open = new Map<DeploymentId, HostName>();
  const rebooting = new Map<DeploymentId, HostName>();
  /** The system with which it got stuck. */
  const stuck = new Map<HostName, StorePath>();
  const budgets = budgetsOf(policy);

  /** Somebody may have repaired it, or the revert have left nothing to be done. */
  function isStuck(host: HostName): boolean {
    const [then, now] = [stuck.get(host), wanted.on(host)];
    return then !== undefined && (now === undefined || now === then || !deps.isThere(host, now));
  }

  function wentAway(host: HostName): boolean {
    return looks.isAway(host) && !wasAbsent(host);
  }

  function wasAbsent(host: HostName): boolean {
    return rollouts.wasAbsent(host, looks.awaySince(host));
  }

  /** Who was away from the start is no part of what a share is of. */
  function mostOf({ amount, has }: Budget): number {
    const members = wanted.hosts().filter(has);
    const counted = members.filter((host) => !looks.isAway(host) || !wasAbsent(host));
    if (amount.unit === 'hosts') return amount.value;
    return Math.max(1, Math.floor((counted.length * amount.value) / 100));
  }

  /** `withWave`: nobody who is away or stuck keeps a host on what is to be taken back. */
  function checkBudget(id: DeploymentId, host: HostName, budget: Budget, withWave: boolean): void {
    const others = wanted.hosts().filter((other) => other !== host && budget.has(other));
    const underWay = new Set(open.values());
    const counts = (other: HostName): boolean =>
      withWave
        ? underWay.has(other) && !looks.mayBeAway(other)
        : underWay.has(other) || isStuck(other) || wentAway(other);
    const busy = others.filter(counts);
    const [count, most] = [busy.length + 1, mostOf(budget)];
    require(count <=
      most, 2, host, `${id} makes ${count} hosts of ${budget.what} unavailable, of at most ${most}: besides ${busy.join()}`);
  }

  function checkReboot({ aim }: FactOf<'intent'>): void {
    const { host, deployment: id } = aim;
    // Of a host that was taken out of the repository in the middle of it nobody waits for the end.
    const named = wanted.hosts();
    const others = new Set(
      [...rebooting.values()].filter((other) => other !== host && named.includes(other)),
    );
    const most = policy.rollout.rebootsAtOnce;
    require(others.size <
      most, 2, host, `${id} reboots one more host than the ${most} that may at once: besides ${[...others].join()}`);
    rebooting.set(id, host);
  }

  function checkIntent(fact: FactOf<'intent'>): void {
    const { host, observation, toplevel, deployment, action } = fact.aim;
    if (action === 'reboot') checkReboot(fact);
    open.set(deployment, host);
    const isNewest = observation === wanted.newest()?.observation.n;
    const withWave = deps.goesBackWithWave(host, toplevel);
    const isForward = isNewest && (toplevel === wanted.on(host) || toplevel === wanted.testedOn(host));
    if ((!isForward && !withWave) || deps.isSentBack(host, toplevel, fact.at)) return;
    for (const budget of budgets) if (budget.has(host)) checkBudget(deployment, host, budget, withWave);
  }

  function learnOutcome({ aim, phase }: FactOf<'outcome'>): void {
    const { deployment, host, toplevel, mode } = aim;
    open.delete(deployment);
    rebooting.delete(deployment);
    if (phase === 'stuck') stuck.set(host, toplevel);
    const confirmed = phase === 'succeeded' || phase === 'awaiting-reboot';
    if (confirmed && mode !== 'dry-activate') stuck.delete(host);
  }

  return {
    appended(fact) {
      if (fact.kind === 'intent') checkIntent(fact);
      if (fact.kind === 'outcome') learnOutcome(fact);
    },
  };
}

function budgetsOf({ rollout, groups, of }: WorldPolicy): readonly Budget[] {
  const budget = (what: string, amount: Amount | undefined, has: Budget['has']): readonly Budget[] =>
    amount === undefined ? [] : [{ what, amount, has }];
  return [
    ...budget('the fleet', rollout.maxUnavailable, () => true),
    ...rollout.waves.flatMap(({ name, maxUnavailable }) =>
      budget(`wave ${name}`, maxUnavailable, (host) => of(host).wave === name),
    ),
    ...groups.flatMap(({ name, maxUnavailable }) =>
      budget(`group ${name}`, maxUnavailable, (host) => of(host).groups.includes(name)),
    ),
  ];
}
