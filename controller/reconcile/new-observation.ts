import type { FactOf } from '../../shared/domain/facts.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import { evaluationRequest } from './release-key.ts';
import type { Sighting } from './watcher.ts';

/**
 * The fact that the tracked ref was seen somewhere else than by the newest observation; none where it was not.
 * After an upgrade the same revision may be read otherwise: as something else that is wanted, it is observed anew.
 */
export function newObservation(
  sighting: Sighting | undefined,
  memory: Memory,
  now: number,
): readonly FactOf<'observation'>[] {
  const newest = memory.observations.at(-1);
  if (sighting === undefined) return [];
  const { look, read } = sighting;
  const key =
    read.manifest.kind === 'fleet' ? evaluationRequest(look.tree, read.manifest.fleet).key : undefined;
  const readAsBefore = key === undefined || key === memory.newestKey;
  if (look.revision === newest?.revision && readAsBefore) return [];
  const { revision, tree, author, subject } = look;
  const forced = newest !== undefined && newest.revision !== revision && !look.descends;
  const observation = { n: (newest?.n ?? 0) + 1, revision, tree, at: now, forced, author, subject };
  return [{ kind: 'observation', at: now, key, observation }];
}
