import type { FactOf } from '../../../shared/domain/facts.ts';
import { pinAt, type Rollout } from '../../../shared/domain/memory.ts';
import type { RolloutPolicy } from '../../../shared/domain/policy.ts';
import type { Rolling } from './standing.ts';
import type { WaveState } from './waves.ts';

/**
 * Which hosts return to what they ran before because a wave failed: those that were changed by this rollout and run
 * the release. Whoever is under way finishes first, and is seen by a later pass. Pure.
 */
export function rollBacks(
  waves: readonly WaveState[],
  { onFailure }: RolloutPolicy,
  rollout: Rollout,
  now: number,
): readonly FactOf<'pin'>[] {
  if (onFailure !== 'rollback-wave' && onFailure !== 'rollback-all') return [];
  const failed = waves.find(({ state, proven }) => state === 'failed' && proven);
  if (failed === undefined) return [];
  const hosts = onFailure === 'rollback-wave' ? failed.hosts : waves.flatMap((wave) => wave.hosts);
  return hosts.flatMap((host) => {
    const { remembered } = host.view;
    const before = remembered?.before;
    if (remembered === undefined || before === undefined || !isOnRelease(host, rollout)) return [];
    // A person has said already where it is to go.
    if (pinAt(remembered, now)?.cause === 'person') return [];
    return [
      {
        kind: 'pin',
        at: now,
        host: host.view.host,
        by: 'varve',
        reason: `wave ${failed.wave.name} failed: ${failed.reason}`,
        cause: 'wave',
        to: { toplevel: before.toplevel, drvPath: before.drvPath, observation: before.observation },
        from: remembered.desired,
      },
    ];
  });
}

function isOnRelease({ view, verdict }: Rolling, rollout: Rollout): boolean {
  const { remembered } = view;
  const { confirmed, desired, pin } = remembered ?? {};
  if (confirmed === undefined || confirmed.toplevel !== desired || confirmed.at < rollout.beganAt)
    return false;
  if (verdict.kind === 'held') return false;
  return pin?.cause !== 'wave' || pin.from !== desired;
}
