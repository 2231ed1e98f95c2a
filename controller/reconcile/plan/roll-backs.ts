import type { FactOf } from '../../../shared/domain/facts.ts';
import { pinAt } from '../../../shared/domain/memory.ts';
import type { RolloutPolicy } from '../../../shared/domain/policy.ts';
import { isOnTrial, type Rolling } from './standing.ts';
import type { WaveState } from './waves.ts';

/**
 * Which hosts return to what they ran before because a wave failed: those that have what the release wants there, and are
 * on trial with it. Whoever is under way finishes first, and is seen by a later pass. Pure.
 */
export function rollBacks(
  waves: readonly WaveState[],
  { onFailure }: RolloutPolicy,
  now: number,
): readonly FactOf<'pin'>[] {
  if (onFailure !== 'rollback-wave' && onFailure !== 'rollback-all') return [];
  const failed = waves.find(({ state, proven }) => state === 'failed' && proven);
  if (failed === undefined) return [];
  const hosts = onFailure === 'rollback-wave' ? failed.hosts : waves.flatMap((wave) => wave.hosts);
  return hosts.flatMap((host) => {
    const { remembered } = host.view;
    const before = remembered?.before;
    if (remembered === undefined || before === undefined || !isOnRelease(host)) return [];
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

function isOnRelease({ view: { remembered }, verdict }: Rolling): boolean {
  if (!isOnTrial(remembered) || verdict.kind === 'held') return false;
  const { pin, desired } = remembered ?? {};
  return pin?.cause !== 'wave' || pin.from !== desired;
}
