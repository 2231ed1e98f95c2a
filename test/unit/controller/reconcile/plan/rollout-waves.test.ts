import { describe, expect, it } from 'vitest';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { aWave, threeWaves } from '../../../../support/rollout-stage.ts';
import { aCheck, host } from '../../../../support/builders.ts';

describe('waves', () => {
  it('let one wave through after the other, each when all hosts of the one before are there', () => {
    const stage = threeWaves();
    stage.commit('B');
    expect(stage.settle()).toEqual(['canary']);
    expect(stage.pass().get('web1')).toMatchObject({
      kind: 'wait',
      waitsFor: 'wave',
      reason: expect.stringContaining('wave canary comes first') as string,
    });
    stage.end('canary');
    expect(stage.settle()).toEqual(['early1', 'early2']);
    stage.end('early1');
    expect(stage.settle()).toEqual(['early2']);
    stage.end('early2');
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
    stage.endAll();
    stage.settle();
    expect(stage.runs()).toBe('canary B, early1 B, early2 B, web1 B, web2 B, web3 B');
  });

  it('deliver ahead: what waits for its wave is on its host already', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    expect(stage.pass().get('web3')?.deployment).toBeDefined();
  });

  it('skip hosts that the commit does not change', () => {
    const stage = threeWaves();
    stage.commit('A', { web2: 'B' });
    expect(stage.settle()).toEqual(['web2']);
  });

  it('stop where one fails: no host of it or of a later one gets the release', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'failed');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({
      kind: 'stalled',
      code: 'ROLLOUT_HALTED',
      reason: 'wave canary failed: canary: canary broke',
    });
    expect(stage.pass().get('canary')).toMatchObject({ kind: 'stalled', code: 'ACTIVATION_FAILED' });
    expect(stage.runs()).toBe('canary A, early1 A, early2 A, web1 A, web2 A, web3 A');
  });

  it('stop the hosts of the same wave that are not under way, and let the others finish', () => {
    const stage = threeWaves({ maxUnavailable: { unit: 'hosts', value: 2 } });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.endAll();
    expect(stage.settle()).toEqual(['web1', 'web2']);
    stage.end('web1', 'failed');
    expect(stage.settle()).toEqual(['web2']);
    expect(stage.pass().get('web3')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    stage.end('web2');
    stage.settle();
    expect(stage.runs()).toContain('web1 A, web2 B, web3 A');
  });

  it('go on under a threshold that is not reached', () => {
    const stage = threeWaves({ failureThreshold: { unit: 'hosts', value: 2 } });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early1', 'failed');
    stage.end('early2');
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
    stage.end('web1', 'failed');
    stage.end('web2', 'failed');
    expect(stage.settle()).toEqual(['web3']);
  });

  it('go on in spite of failures where the policy says so', () => {
    const stage = threeWaves({ onFailure: 'continue' });
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'failed');
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('stop where one has failed that tests a branch by now', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'failed');
    stage.commit('B', { web1: 'C' });
    stage.test('canary', 'C');
    expect(stage.settle()).toEqual(['canary']);
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    // Nor where what it tests has failed as well.
    stage.end('canary', 'failed');
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    expect(stage.pass().get('canary')).toMatchObject({ kind: 'stalled', code: 'ACTIVATION_FAILED' });
  });

  it('go on with a commit that mends it, and with a retry', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'failed');
    stage.settle();
    stage.learn({ kind: 'retry', at: stage.now, host: undefined, by: 'ada', drift: undefined });
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary', 'failed');
    stage.commit('C');
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('begin anew with a newer commit; what is activating finishes first', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    expect(stage.settle()).toEqual(['early1', 'early2']);
    stage.commit('C');
    expect(stage.settle()).toEqual(['canary', 'early1', 'early2']);
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'wait', waitsFor: 'activation' });
    stage.end('early1');
    stage.end('early2');
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('go on where they are with a commit that changes no system', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.away('canary');
    stage.commit('B', { unlisted: 'readme' });
    stage.endAll();
    // The canary has passed: that it is away now is a matter of its failure, not of the commit.
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')?.reason).toContain('cannot be reached any more');
  });
});

describe('soak times', () => {
  const soaking = [aWave('canary', { soakMs: 60_000 }), aWave('early'), aWave('rest')];

  it('keep the next wave waiting until the time is over and every host was seen once more', () => {
    const stage = threeWaves({}, soaking);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    const confirmedAt = stage.now;
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({
      kind: 'wait',
      waitsFor: 'soak',
      until: confirmedAt + 60_000,
    });
    expect(stage.last?.rollout?.looks.get(host('canary'))).toBe(confirmedAt + 60_000);
    stage.now = confirmedAt + 60_000;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('go on under a commit that changes nothing there', () => {
    const stage = threeWaves({}, soaking);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.commit('C', { canary: 'B' });
    expect(stage.settle()).toEqual([]);
    stage.now += 60_000;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('are not asked of a release that has soaked before: a revert is quick', () => {
    const stage = threeWaves({}, soaking);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.now += 60_000;
    stage.settle();
    stage.commit('C');
    stage.endAll();
    stage.settle();
    stage.end('canary');
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    // The early ones run B already.
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
  });

  it('end in a failure when a host that was changed is gone, and go on when it is back', () => {
    const stage = threeWaves({}, soaking);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.away('canary');
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    stage.back('canary');
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'deliver' });
    stage.now += 60_000;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });
});

describe('a rollout that people stop', () => {
  const said = { by: 'ada', reason: 'a fire' };
  it.each<readonly [string, (at: number) => Fact, (at: number) => Fact]>([
    [
      'everything is suspended',
      (at) => ({ kind: 'suspended', at, ...said }),
      (at) => ({ kind: 'resumed', at, by: 'ada' }),
    ],
    [
      'the fleet is held',
      (at) => ({ kind: 'hold', at, scope: { kind: 'fleet' }, ...said, until: undefined }),
      (at) => ({ kind: 'hold-lifted', at, scope: { kind: 'fleet' }, by: 'ada' }),
    ],
  ])('has proven nothing meanwhile, and goes on where it was: %s', (_, stop, goOn) => {
    const waves = [aWave('canary', { soakMs: 60_000 }), aWave('early'), aWave('rest')];
    const stage = threeWaves({}, waves);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    const confirmedAt = stage.now;
    stage.settle();
    stage.learn(stop(stage.now));
    expect(stage.settle()).toEqual([]);
    expect(stage.memory.rollout).toMatchObject({ passed: new Set(), over: false });
    stage.learn(goOn(stage.now));
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'wait', waitsFor: 'soak' });
    stage.now = confirmedAt + 60_000;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it.each(['halt', 'continue'] as const)(
    'has proven nothing, nor failed, by the one host that failed before (%s)',
    (onFailure) => {
      const stage = threeWaves({ onFailure, failureThreshold: { unit: 'hosts', value: 2 } });
      stage.commit('B', { canary: 'A' });
      stage.settle();
      stage.end('early1', 'failed');
      stage.settle();
      stage.learn({ kind: 'suspended', at: stage.now, ...said });
      stage.end('early2');
      stage.settle();
      expect(stage.memory.rollout).toMatchObject({ failed: new Map(), over: false });
      expect(stage.memory.rollout?.passed.has('early')).toBe(false);
      stage.learn({ kind: 'resumed', at: stage.now, by: 'ada' });
      expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
    },
  );
});

describe('hosts that are away', () => {
  it('block no wave if they were away before, and catch up under the same rules', () => {
    const stage = threeWaves({ maxUnavailable: { unit: 'hosts', value: 1 } });
    stage.away('canary', 'web2');
    stage.commit('B');
    expect(stage.settle()).toEqual(['early1']);
    stage.back('canary');
    // One at a time: the budget is used up.
    expect(stage.settle()).toEqual(['early1']);
    stage.end('early1');
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    expect(stage.settle()).toEqual(['early2']);
    for (const next of ['early2', 'web1', 'web3']) {
      expect(stage.settle()).toEqual([next]);
      stage.end(next);
    }
    expect(stage.settle()).toEqual([]);
    stage.back('web2');
    expect(stage.settle()).toEqual(['web2']);
  });

  it('were away before if they were asked before it began, and the answer that there is none came later', () => {
    const stage = threeWaves({ maxUnavailable: { unit: 'hosts', value: 1 } });
    const silentSince = stage.now;
    stage.commit('B');
    expect(stage.settle()).toEqual(['canary']);
    stage.silent('web3', silentSince);
    stage.end('canary');
    expect(stage.settle()).toEqual(['early1']);
  });

  it('use up the budget where they were away before, came back, and went away with the new release', () => {
    const stage = threeWaves({
      maxUnavailable: { unit: 'hosts', value: 1 },
      failureThreshold: { unit: 'hosts', value: 5 },
      onFailure: 'continue',
    });
    stage.away('canary');
    stage.commit('B');
    expect(stage.settle()).toEqual(['early1']);
    stage.back('canary');
    stage.settle();
    stage.end('early1');
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    stage.away('canary');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early2')?.reason).toContain('canary');
  });

  it('use up the budget if they went away since', () => {
    const stage = threeWaves({ maxUnavailable: { unit: 'hosts', value: 2 } });
    stage.commit('B');
    stage.settle();
    stage.away('web3');
    stage.end('canary');
    expect(stage.settle()).toEqual(['early1']);
    stage.away('web2');
    stage.end('early1');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early2')).toMatchObject({
      kind: 'stalled',
      code: 'ROLLOUT_HALTED',
      reason: 'at most 2 of the fleet may be unavailable at once, and these are: web2, web3',
    });
    stage.back('web2');
    expect(stage.settle()).toEqual(['early2']);
  });
});

describe('health of what a rollout has changed', () => {
  const check = aCheck({ kind: 'tcp', port: 80 });
  const soaking = [aWave('canary', { soakMs: 60_000 }), aWave('early'), aWave('rest')];

  it('ends the rollout when a check fails during the soak time, and is watched all along', () => {
    const stage = threeWaves({}, soaking, { canary: { checks: [check] } });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    expect(stage.last?.rollout?.looks.get(host('canary'))).toBe(stage.now + 10_000);
    stage.unwell('canary', 'port 80 is closed');
    expect(stage.pass().get('early1')).toMatchObject({
      kind: 'stalled',
      code: 'ROLLOUT_HALTED',
      reason: 'wave canary failed: canary: port 80 is closed',
    });
    // It is on record: that the check passes again is no reason to go on.
    stage.well('canary');
    stage.now += 120_000;
    expect(stage.settle()).toEqual([]);
    stage.learn({ kind: 'retry', at: stage.now, host: undefined, by: 'ada', drift: undefined });
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('rolls the wave back where the policy says so', () => {
    const stage = threeWaves({ onFailure: 'rollback-wave' }, soaking);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.unwell('canary', 'port 80 is closed');
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    stage.settle();
    expect(stage.runs()).toContain('canary A');
  });

  it('holds nothing against a release that was unwell before', () => {
    const stage = threeWaves();
    stage.unwell('early1', 'it was so yesterday');
    stage.commit('B', { early1: 'A' });
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early2');
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
  });
});
