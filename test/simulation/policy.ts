import type { HostName } from '../../shared/domain/names.ts';
import { plainRollout, type RolloutPolicy } from '../../shared/domain/policy.ts';
import type { Random } from './random.ts';

/** How a release moves in a world: the policy of its fleet, the same all along. */
export interface WorldPolicy {
  readonly rollout: RolloutPolicy;
  waveOf(host: HostName): string;
}

/** Every host at once. */
export const plainPolicy: WorldPolicy = { rollout: plainRollout, waveOf: () => 'all' };

export function drawPolicy(random: Random): WorldPolicy {
  if (random.chance(0.4)) return plainPolicy;
  const most = random.int(3);
  const names = ['canary', 'early', 'rest'].slice(0, 2 + random.int(2));
  const waves = names.map((name) => ({
    name,
    maxUnavailable: undefined,
    soakMs: random.pick([0, 0, 30_000]),
    approval: false,
  }));
  return {
    rollout: {
      ...plainRollout,
      waves,
      maxUnavailable: most === 0 ? undefined : { unit: 'hosts', value: most },
      onFailure: random.pick(['halt', 'halt', 'rollback-wave', 'rollback-all', 'continue']),
    },
    // host1 is the canary; the others follow in turn.
    waveOf: (host) => names[(Number(host.replace(/\D/g, '')) - 1) % names.length] ?? 'rest',
  };
}
