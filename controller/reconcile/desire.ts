import type { Desired, EvaluationSetback, Ready } from '../../shared/domain/desired.ts';
import type { Failure } from '../../shared/domain/errors.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { Revision } from '../../shared/domain/names.ts';
import type { Manifest } from '../../shared/platform/ports/source.ts';
import { evaluationRequest } from './release-key.ts';

/** The manifest of a revision, once it was read. */
export interface ReadManifest {
  readonly revision: Revision;
  readonly manifest: Manifest;
}

/**
 * What the newest observation wants, as far as it is known now. `setback`: of its evaluation. `good`: the manifest of
 * the last good observation. Pure.
 */
export function desire(
  memory: Memory,
  read: ReadManifest | undefined,
  setback: EvaluationSetback | undefined,
  good?: ReadManifest,
): Desired {
  const newest = desireNewest(memory, read, setback);
  return newest.kind === 'ready' ? newest : { ...newest, lastGood: readyAs(memory, good) };
}

function readyAs(memory: Memory, good: ReadManifest | undefined): Ready | undefined {
  if (good?.manifest.kind !== 'fleet') return undefined;
  const { fleet } = good.manifest;
  const observation = memory.observations.findLast(({ revision }) => revision === good.revision);
  const release = observation && memory.releases.get(memory.keys.get(observation.n) ?? '');
  return release && { kind: 'ready', observation, fleet, release };
}

function desireNewest(
  memory: Memory,
  read: ReadManifest | undefined,
  setback: EvaluationSetback | undefined,
): Desired {
  const observation = memory.observations.at(-1);
  if (observation === undefined) {
    return { kind: 'unknown', reason: 'the tracked ref has not been seen yet' };
  }
  if (read?.revision !== observation.revision) {
    return { kind: 'unknown', reason: `revision ${observation.revision.slice(0, 12)} is being read` };
  }
  if (read.manifest.kind === 'invalid') {
    return { kind: 'blocked', observation, failure: read.manifest.failure, fleet: undefined };
  }
  const { fleet } = read.manifest;
  if (fleet.hosts.kind === 'listed' && fleet.hosts.list.length === 0) {
    return { kind: 'blocked', observation, failure: noHosts, fleet };
  }
  const { key } = evaluationRequest(observation.tree, fleet);
  // Another version of Varve read the same revision otherwise: it has to be observed as it is read now.
  if (key !== memory.newestKey) {
    return {
      kind: 'unknown',
      reason: `revision ${observation.revision.slice(0, 12)} is being observed anew`,
    };
  }
  const release = memory.releases.get(key);
  if (release !== undefined) {
    if (release.hosts.size === 0) return { kind: 'blocked', observation, failure: noHosts, fleet };
    return { kind: 'ready', observation, fleet, release };
  }
  const failure = memory.failedEvaluations.get(key);
  return failure === undefined
    ? { kind: 'evaluating', observation, fleet, setback }
    : { kind: 'blocked', observation, failure, fleet };
}

/** A commit that empties the fleet is more likely a mistake than a wish. */
const noHosts: Failure = {
  code: 'NO_HOSTS',
  disposition: 'stalled',
  message: 'it names no host at all; every host keeps what it runs',
  hint: 'revert the commit; to retire hosts on purpose remove all but one, or stop Varve',
};
