import type { Amount, Group, RolloutPolicy } from '../../shared/domain/policy.ts';
import type { Random } from './random.ts';

const one: Amount = { unit: 'hosts', value: 1 };
const half: Amount = { unit: 'percent', value: 50 };

/**
 * In one of six fleets with waves these have budgets of their own, and budgets are shares. A stream of its own: all others
 * have the budgets, and tell the stories, that they had before there was this.
 */
export function withBudgets<
  Policy extends { readonly rollout: RolloutPolicy; readonly groups: readonly Group[] },
>(policy: Policy, random: Random): Policy {
  const { rollout, groups } = policy;
  if (rollout.waves.length === 1 || !random.chance(1 / 6)) return policy;
  const share = (amount: Amount | undefined): Amount | undefined => amount && random.pick([amount, half]);
  return {
    ...policy,
    rollout: {
      ...rollout,
      maxUnavailable: share(rollout.maxUnavailable),
      waves: rollout.waves.map((wave) => ({
        ...wave,
        maxUnavailable: random.chance(1 / 3) ? undefined : random.pick([one, half]),
      })),
    },
    groups: groups.map((group) => ({ ...group, maxUnavailable: share(group.maxUnavailable) })),
  };
}
