import { describe, expect, it } from 'vitest';
import { Stage, aPolicy, aWave } from '../../../../support/rollout-stage.ts';

describe('drift that is to be healed', () => {
  const healing = (): Stage => {
    const stage = new Stage({ web1: { drift: 'heal' } }, aPolicy([aWave('all')]));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    expect(stage.settle()).toEqual([]);
    return stage;
  };

  it('is brought back at once, then after a minute, two, four', () => {
    const stage = healing();
    stage.drift('web1', 'C');
    expect(stage.settle()).toEqual(['web1']);
    stage.endAll();
    for (const minutes of [1, 2, 4]) {
      stage.settle();
      stage.drift('web1', 'C');
      expect(stage.settle()).toEqual([]);
      expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'back-off', code: 'DRIFTED' });
      stage.now += minutes * 60_000 - 1_000;
      expect(stage.settle()).toEqual([]);
      stage.now += 1_000;
      expect(stage.settle()).toEqual(['web1']);
      stage.endAll();
    }
  });

  it('is left alone while the host is held', () => {
    const stage = healing();
    stage.learn({
      kind: 'hold',
      at: stage.now,
      scope: { kind: 'fleet' },
      by: 'ada',
      reason: 'somebody is at it',
      until: undefined,
    });
    stage.drift('web1', 'C');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({
      kind: 'held',
      reason: 'the fleet is held by ada: somebody is at it',
    });
  });

  it('keeps no wave waiting', () => {
    const stage = new Stage(
      { canary: { wave: 'canary', drift: 'heal' }, web1: { wave: 'rest' } },
      aPolicy([aWave('canary'), aWave('rest')]),
    );
    stage.commit('B', { web1: 'A' });
    stage.settle();
    stage.endAll();
    stage.settle();
    stage.drift('canary', 'C');
    stage.settle();
    stage.endAll();
    stage.settle();
    stage.drift('canary', 'C');
    stage.commit('B');
    expect(stage.settle()).toEqual(['web1']);
  });
});

it('what had been replaced before it was made lasting is tried again, and its wave waits for it', () => {
  const stage = new Stage(
    { canary: { wave: 'canary' }, web1: { wave: 'rest' } },
    aPolicy([aWave('canary'), aWave('rest')]),
  );
  stage.commit('B');
  expect(stage.settle()).toEqual(['canary']);
  // The host was rebooted, say, into what had been set for that.
  stage.end('canary', 'replaced');
  expect(stage.settle()).toEqual([]);
  expect(stage.pass().get('canary')).toMatchObject({ kind: 'wait', waitsFor: 'back-off', code: 'DRIFTED' });
  expect(stage.pass().get('web1')).toMatchObject({ waitsFor: 'wave' });
  stage.now += 60_000;
  expect(stage.settle()).toEqual(['canary']);
});
