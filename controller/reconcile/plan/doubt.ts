import { isActive, isTerminal, type Deployment } from '../../../shared/domain/deployment.ts';
import type { Memory } from '../../../shared/domain/memory.ts';

/** Its intent is in the ledger, and not how it ended: it may be activated, or may have been. */
export function isLetThrough({ id, host }: Pick<Deployment, 'id' | 'host'>, memory: Memory): boolean {
  return memory.hosts.get(host)?.openIntents.has(id) ?? false;
}

/**
 * Whether the host may have started a deployment that the store says is yet to be activated. A store that came back
 * with what it knew some moments ago ends its life, and so every leadership: an earlier one's deployment may have
 * gone further than is written. Only the host can tell. Without an intent nothing was ever queued.
 */
export function isDoubtful(deployment: Deployment, memory: Memory): boolean {
  if (isActive(deployment) || isTerminal(deployment)) return false;
  if (deployment.token.epoch >= memory.epoch) return false;
  return isLetThrough(deployment, memory);
}

/**
 * Whether a delivery has failed although it had been delivered already: the ledger has its intent, and a store that was
 * set back had it delivered again. What its host has begun meanwhile only the host can tell.
 */
export function hasFailedTooLate(deployment: Deployment, memory: Memory): boolean {
  const { phase, timeline } = deployment;
  return phase === 'failed' && timeline.activating === undefined && isLetThrough(deployment, memory);
}
