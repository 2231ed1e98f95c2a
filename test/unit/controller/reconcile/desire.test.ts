import { describe, expect, it } from 'vitest';
import { desire, type ReadManifest } from '../../../../controller/reconcile/desire.ts';
import { evaluationRequest } from '../../../../controller/reconcile/release-key.ts';
import type { Fleet } from '../../../../shared/domain/fleet.ts';
import { aFailure, aFleet, anObservation, aSpec, remembering } from '../../../support/builders.ts';

const observation = anObservation(1, 'A');
const fleet = aFleet([aSpec('web1')]);

function reading(read: Fleet): ReadManifest {
  return { revision: observation.revision, manifest: { kind: 'fleet', fleet: read } };
}

function observedWith(read: Fleet) {
  const { key } = evaluationRequest(observation.tree, read);
  return remembering({ kind: 'observation', at: 1, observation, key });
}

describe('what is wanted', () => {
  it('is being evaluated until there is a release, with the reason why there is none yet', () => {
    const setback = { failure: aFailure(), until: 5_000 };
    expect(desire(observedWith(fleet), reading(fleet), undefined)).toMatchObject({
      kind: 'evaluating',
      setback: undefined,
    });
    expect(desire(observedWith(fleet), reading(fleet), setback)).toMatchObject({
      kind: 'evaluating',
      setback,
    });
  });

  it('is unknown while the newest revision is read otherwise than it was observed, as after an upgrade', () => {
    const readAnew = aFleet([aSpec('web1', { attribute: 'another' })]);
    expect(desire(observedWith(fleet), reading(readAnew), undefined)).toMatchObject({ kind: 'unknown' });
    const asInvalid = remembering({ kind: 'observation', at: 1, observation, key: undefined });
    expect(desire(asInvalid, reading(fleet), undefined)).toMatchObject({ kind: 'unknown' });
  });
});
