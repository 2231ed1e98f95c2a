import { hostsOf } from '../../../shared/domain/desired.ts';
import type { Memory } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Verdict } from '../../../shared/domain/verdict.ts';
import { createBudgets } from './budgets.ts';
import { createOrder, createTurns, windowRefusalOf } from './gates.ts';
import type { Followed } from './judge-said.ts';
import { rolling, sentBackBy, type Judged } from './rollout.ts';
import { isBack, isInFlight } from './standing.ts';

/**
 * Who of those that go back with a wave may be activated now, while nothing newer can be let through: the newest tree is
 * being evaluated, or cannot be followed. Gives the verdicts of those that have to wait. Pure.
 */
export function letBack(
  judged: readonly Judged[],
  desired: Followed,
  memory: Memory,
  now: number,
): ReadonlyMap<HostName, Verdict> {
  // The newest revision may not say which hosts there are; all of them count.
  const known = hostsOf(desired);
  const all = judged.map(({ view, verdict }) => ({
    view: { ...view, spec: view.spec ?? known.get(view.host) },
    verdict,
  }));
  const hosts = rolling(all, desired, now);
  const { rollout: policy, groups } = desired.fleet;
  const budgets = createBudgets({ policy, groups, hosts, begun: memory.rollout });
  const turns = createTurns(createOrder(hosts), budgets);
  const verdicts = new Map<HostName, Verdict>();
  for (const host of hosts) {
    const { view, verdict } = host;
    const isAsked = verdict.kind === 'activate' && !isInFlight(view);
    const pin = sentBackBy(view, verdict, now);
    if (!isAsked || pin?.cause !== 'wave') continue;
    const refusal = isBack(view, pin)
      ? (windowRefusalOf(host, desired.fleet, memory, now) ?? turns.refusalApart(host))
      : turns.refusalBack(host);
    if (refusal === undefined) turns.take(host);
    else verdicts.set(view.host, { ...verdict, ...refusal });
  }
  return verdicts;
}
