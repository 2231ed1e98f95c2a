import type { Rollout } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import { hostsIn, type Amount, type Group, type RolloutPolicy } from '../../../shared/domain/policy.ts';
import { halted, waiting, type Refusal } from './refusal.ts';
import { isAway, isInFlight, isUnavailable, wasAbsent, type Rolling } from './standing.ts';

/** Counts what is under way or not available, in the fleet, its waves and its groups, while hosts are let through. */
export interface Budgets {
  refusal(host: Rolling): Refusal | undefined;
  /** Of a host that goes back with its wave: what is away or stuck, perhaps by this very release, does not keep it there. */
  refusalBack(host: Rolling): Refusal | undefined;
  /** One more activation is let through. */
  take(host: Rolling): void;
}

interface Budget {
  readonly what: string;
  readonly most: number;
  readonly inFlight: Set<HostName>;
  /** Of those, who can be reached. */
  readonly there: Set<HostName>;
  readonly unavailable: ReadonlySet<HostName>;
  /** Some of those have only not been asked yet. */
  readonly unsure: boolean;
}

export function createBudgets(input: {
  readonly policy: RolloutPolicy;
  readonly groups: readonly Group[];
  readonly hosts: readonly Rolling[];
  readonly begun: Rollout | undefined;
}): Budgets {
  const { policy, hosts, begun } = input;
  const budgets = new Map<string, Budget>();
  const define = (
    key: string,
    what: string,
    amount: Amount | undefined,
    has: (host: Rolling) => boolean,
  ): void => {
    if (amount === undefined) return;
    const members = hosts.filter(has);
    const inFlight = members.filter(({ view }) => isInFlight(view));
    const unavailable = members.filter((host) => !isInFlight(host.view) && isUnavailable(host, begun));
    const counted = members.filter(({ view }) => !isAway(view) || !wasAbsent(view, begun));
    budgets.set(key, {
      what,
      most: hostsIn(amount, counted.length),
      inFlight: new Set(inFlight.map(({ view }) => view.host)),
      there: new Set(inFlight.filter(({ view }) => !isAway(view)).map(({ view }) => view.host)),
      unavailable: new Set(unavailable.map(({ view }) => view.host)),
      unsure: unavailable.some(({ view }) => view.contact === undefined),
    });
  };
  define('fleet', 'the fleet', policy.maxUnavailable, () => true);
  for (const { name, maxUnavailable } of policy.waves) {
    define(`wave ${name}`, `wave ${name}`, maxUnavailable, ({ view }) => view.spec.wave === name);
  }
  for (const { name, maxUnavailable } of input.groups) {
    define(`group ${name}`, `group ${name}`, maxUnavailable, ({ view }) => view.spec.groups.includes(name));
  }
  const budgetsOf = ({ view: { spec } }: Rolling): readonly Budget[] =>
    budgets.size === 0
      ? []
      : ['fleet', `wave ${spec.wave}`, ...spec.groups.map((group) => `group ${group}`)].flatMap(
          (key) => budgets.get(key) ?? [],
        );
  return {
    refusal: (host) => firstOf(budgetsOf(host).map((budget) => over(budget, host.view.host))),
    refusalBack: (host) => firstOf(budgetsOf(host).map(overBack)),
    take(host) {
      for (const { inFlight, there } of budgetsOf(host)) {
        inFlight.add(host.view.host);
        there.add(host.view.host);
      }
    },
  };
}

function over({ what, most, inFlight, unavailable, unsure }: Budget, host: HostName): Refusal | undefined {
  const away = unavailable.size - (unavailable.has(host) ? 1 : 0);
  if (inFlight.size + away + 1 <= most) return undefined;
  const limit = `at most ${most} of ${what} may be unavailable at once`;
  if (inFlight.size > 0 || unsure) {
    return {
      ...waiting,
      waitsFor: 'budget',
      reason: `${limit}: now ${listed(inFlight, unavailable)}`,
    };
  }
  // Nothing is under way whose end could make room.
  return halted(`${limit}, and these are: ${listed(unavailable)}`);
}

function overBack({ what, most, there }: Budget): Refusal | undefined {
  if (there.size + 1 <= most) return undefined;
  const reason = `at most ${most} of ${what} may be unavailable at once: now ${listed(there)}`;
  return { ...waiting, waitsFor: 'budget', reason };
}

function firstOf(refusals: readonly (Refusal | undefined)[]): Refusal | undefined {
  return refusals.find((refusal) => refusal !== undefined);
}

const mostListed = 4;

/** Every host that has to wait is told of them: they are not gone through for each. */
function listed(...sets: readonly ReadonlySet<HostName>[]): string {
  const shown: HostName[] = [];
  let count = 0;
  for (const names of sets) {
    count += names.size;
    for (const name of names) {
      if (shown.length >= mostListed) break;
      shown.push(name);
    }
  }
  const text = shown.join(', ');
  return count > mostListed ? `${text} and ${count - mostListed} more` : text;
}
