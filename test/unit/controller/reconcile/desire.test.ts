import { describe, expect, it } from 'vitest';
import { desire, type ReadManifest } from '../../../../controller/reconcile/desire.ts';
import { evaluationRequest } from '../../../../controller/reconcile/release-key.ts';
import type { Fleet } from '../../../../shared/domain/fleet.ts';
import {
  aFailure,
  aFleet,
  anObservation,
  releaseKey,
  aSpec,
  observed,
  released,
  remembering,
} from '../../../support/builders.ts';

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

  it('comes with the last good observation, as long as the newest cannot be followed', () => {
    const broken = anObservation(2, 'broken');
    const memory = remembering(observed(1, 'A'), released('A', { web1: 'A' }), {
      kind: 'observation',
      at: 2,
      observation: broken,
      key: undefined,
    });
    const failure = aFailure({ code: 'MANIFEST_INVALID' });
    const unreadable: ReadManifest = { revision: broken.revision, manifest: { kind: 'invalid', failure } };
    const release = memory.releases.get(releaseKey('A'));
    const good = { kind: 'ready', observation, fleet, release };
    expect(desire(memory, unreadable, undefined, reading(fleet))).toEqual({
      kind: 'blocked',
      observation: broken,
      failure,
      fleet: undefined,
      lastGood: good,
    });
    expect(desire(memory, undefined, undefined, reading(fleet))).toMatchObject({
      kind: 'unknown',
      lastGood: good,
    });
    // What is read has to be of an observation that was good.
    expect(desire(memory, unreadable, undefined, unreadable)).toMatchObject({ lastGood: undefined });
    const another = { ...reading(fleet), revision: broken.revision };
    expect(desire(memory, unreadable, undefined, another)).toMatchObject({ lastGood: undefined });
  });
});
