import { describe, expect, it } from 'vitest';

import { returnOf } from '../../../../../controller/people/return.ts';
import { aPolicy, aWave, Stage, threeWaves } from '../../../../support/rollout-stage.ts';
import { host } from '../../../../support/builders.ts';

const soak = 600_000;
const soaking = [aWave('canary', { soakMs: soak }), aWave('early', { soakMs: soak }), aWave('rest')];
const one = { unit: 'hosts', value: 1 } as const;

/** The canary has B, and is watched, when a commit comes that changes web3 only. */
function overtaken(change: Parameters<typeof threeWaves>[0] = {}): Stage {
  const stage = threeWaves(change, soaking);
  stage.commit('B');
  stage.settle();
  stage.end('canary');
  stage.settle();
  return stage;
}

/** All hosts get it, and every soak time passes. */
function rollOut(stage: Stage): void {
  for (let i = 0; i < 6; i += 1) {
    stage.settle();
    stage.endAll();
    stage.settle();
    stage.now += soak + 1_000;
  }
}

describe('a rollout that another commit overtakes', () => {
  it('keeps an eye on what it has changed so far, and soaks no longer than before', () => {
    const stage = overtaken();
    stage.now += 60_000;
    stage.commit('B', { web3: 'C' });
    expect(stage.settle()).toEqual([]);
    stage.unwell('canary', 'it answers with 500');
    expect(stage.settle()).toEqual([]);
    stage.now += soak;
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({ code: 'ROLLOUT_HALTED' });

    stage.well('canary');
    stage.commit('C');
    expect(stage.settle()).toEqual(['canary']);
  });

  it('goes on where it was if all is well', () => {
    const stage = overtaken();
    stage.now += soak / 2;
    stage.commit('B', { web3: 'C' });
    stage.settle();
    stage.now += soak / 2;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('is halted still, until what failed is no longer wanted where it failed', () => {
    const stage = overtaken();
    stage.unwell('canary', 'it answers with 500');
    stage.settle();
    stage.well('canary');
    stage.commit('B', { web3: 'C' });
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ code: 'ROLLOUT_HALTED' });
    stage.commit('B', { canary: 'C' });
    expect(stage.settle()).toEqual(['canary']);
  });

  it('is not begun again on hosts that went back with their wave, until what failed is mended', () => {
    const stage = overtaken({ onFailure: 'rollback-wave' });
    stage.unwell('canary', 'it answers with 500');
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    stage.well('canary');
    stage.settle();
    stage.commit('B', { web3: 'C' });
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('canary')).toMatchObject({ code: 'ROLLED_BACK_WITH_WAVE' });
    expect(stage.pass().get('web1')).toMatchObject({ code: 'ROLLOUT_HALTED' });
    stage.commit('C');
    expect(stage.settle()).toEqual(['canary']);
  });

  it('does not let a host that went away since it was changed count as one that was away before', () => {
    const stage = overtaken();
    stage.away('canary');
    stage.settle();
    stage.commit('B', { web3: 'C' });
    stage.now += soak;
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({ code: 'ROLLOUT_HALTED' });
  });

  it('takes hosts back also from what it had brought before', () => {
    const stage = threeWaves({ onFailure: 'rollback-all' });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.endAll();
    stage.commit('B', { web3: 'C' });
    stage.settle();
    stage.end('web1', 'failed');
    stage.endAll();
    stage.settle();
    stage.endAll();
    expect(stage.runs()).toBe('canary A, early1 A, early2 A, web1 A, web2 A, web3 A');
  });

  it('is started again by a retry', () => {
    const stage = overtaken();
    stage.unwell('canary', 'it answers with 500');
    stage.settle();
    stage.well('canary');
    stage.commit('B', { web3: 'C' });
    stage.learn({ kind: 'retry', at: stage.now, host: undefined, by: 'ada', drift: undefined });
    stage.now += soak;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });
});

describe('rollouts of a Varve that did not say yet that they had ended', () => {
  it('put nobody on trial again', () => {
    const stage = threeWaves({ onFailure: 'rollback-all' });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    expect(stage.memory.hosts.get(host('canary'))?.onTrial).toBe(true);
    const change = { kind: 'began', absent: [], keepsTrials: false } as const;
    stage.learn({ kind: 'rollout', at: stage.now, observation: 2, change });
    expect(stage.memory.hosts.get(host('canary'))?.onTrial).toBe(false);
  });
});

describe('a rollout that is through', () => {
  it.each(['rollback-all', 'rollback-wave', 'halt'] as const)(
    'takes nothing back for what becomes of its hosts later (%s)',
    (onFailure) => {
      const stage = threeWaves({ onFailure }, soaking);
      stage.commit('B');
      rollOut(stage);
      expect(stage.memory.rollout?.over).toBe(true);
      stage.now += 14 * 86_400_000;
      stage.unwell('web1', 'its disk is full');
      expect(stage.settle()).toEqual([]);
      expect(stage.pass().get('web2')).toMatchObject({ kind: 'in-sync' });
      expect(stage.last?.rollout?.waves.map(({ state }) => state)).toEqual(['passed', 'passed', 'passed']);
    },
  );

  it('is halted for latecomers where it fails on one of them', () => {
    const stage = threeWaves();
    stage.away('web2', 'web3');
    stage.commit('B');
    rollOut(stage);
    stage.back('web2');
    stage.settle();
    stage.end('web2', 'failed');
    stage.back('web3');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web3')).toMatchObject({ code: 'ROLLOUT_HALTED' });
  });

  it('says nothing of the next one', () => {
    const stage = threeWaves({}, soaking);
    stage.commit('B');
    rollOut(stage);
    stage.unwell('canary', 'its disk is full');
    stage.commit('B', { web3: 'C' });
    expect(stage.settle()).toEqual(['web3']);
  });
});

describe('who goes back with a wave', () => {
  it('goes as many at once as may be unavailable, and a host that Varve runs on alone', () => {
    const hosts = { a: {}, b: {}, c: {}, varve: { runsVarve: true } };
    const specs = Object.fromEntries(
      Object.entries(hosts).map(([name, spec]) => [name, { wave: 'all', ...spec }]),
    );
    const waves = [aWave('all', { soakMs: soak })];
    const stage = new Stage(specs, aPolicy(waves, { onFailure: 'rollback-all', maxUnavailable: one }));
    stage.commit('B');
    for (let i = 0; i < 4; i += 1) {
      stage.settle();
      stage.endAll();
    }
    expect(stage.runs()).toBe('a B, b B, c B, varve B');
    stage.unwell('b', 'it answers with 500');
    const order: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      const under = stage.settle();
      expect(under).toHaveLength(1);
      order.push(...under);
      stage.endAll();
    }
    expect(order).toEqual(['a', 'b', 'c', 'varve']);
    expect(stage.runs()).toBe('a A, b A, c A, varve A');
  });

  it('is not kept on what is taken back by who is stuck with it, away, or has it yet to come', () => {
    const specs = Object.fromEntries(['a', 'b', 'c'].map((name) => [name, { wave: 'all' }]));
    const policy = aPolicy([aWave('all', { soakMs: soak })], {
      onFailure: 'rollback-all',
      maxUnavailable: one,
    });
    for (const how of ['stuck', 'away'] as const) {
      const stage = new Stage(
        { ...specs, late: { wave: 'rest' } },
        { ...policy, waves: [...policy.waves, aWave('rest')] },
      );
      stage.commit('B');
      for (const name of ['a', 'b']) {
        expect(stage.settle()).toEqual([name]);
        stage.end(name);
      }
      stage.settle();
      if (how === 'stuck') {
        stage.end('c', 'stuck');
      } else {
        stage.end('c');
        stage.unwell('b', 'it answers with 500');
        stage.away('c');
      }
      expect(stage.settle()).toEqual(['a']);
      stage.endAll();
      expect(stage.settle()).toEqual(['b']);
      stage.endAll();
      stage.settle();
      expect(stage.runs()).toMatch(/^a A, b A/);
    }
  });

  it('goes back as a host that Varve runs on although others wait for the release, or Varve’s other host is away', () => {
    const specs = { c: { wave: 'all' }, varve: { wave: 'all', runsVarve: true }, late: { wave: 'rest' } };
    const waves = [aWave('all', { soakMs: soak }), aWave('rest')];
    const stage = new Stage(specs, aPolicy(waves, { onFailure: 'rollback-wave' }));
    stage.commit('B', { late: 'A' });
    for (let i = 0; i < 2; i += 1) {
      stage.settle();
      stage.endAll();
    }
    stage.commit('B');
    stage.settle();
    stage.unwell('c', 'it answers with 500');
    expect(stage.settle()).toEqual(['c']);
    stage.endAll();
    expect(stage.settle()).toEqual(['varve']);
    stage.endAll();
    expect(stage.runs()).toBe('c A, varve A, late A');
  });

  it('goes so also while nobody can follow the newest revision', () => {
    const hosts = { a: { wave: 'all' }, b: { wave: 'all' } };
    const policy = aPolicy([aWave('all', { soakMs: soak })], {
      onFailure: 'rollback-all',
      maxUnavailable: one,
    });
    const stage = new Stage(hosts, policy);
    stage.commit('B');
    for (let i = 0; i < 2; i += 1) {
      stage.settle();
      stage.endAll();
    }
    stage.unwell('b', 'it answers with 500');
    expect(stage.pass().size).toBe(2);
    stage.breakManifest();
    expect(stage.settle()).toEqual(['a']);
    stage.endAll();
    expect(stage.settle()).toEqual(['b']);
  });

  it('is not sent forward again by a roll back to what it ran before', () => {
    const stage = overtaken({ onFailure: 'rollback-wave' });
    stage.unwell('canary', 'it answers with 500');
    stage.settle();
    stage.end('canary');
    stage.settle();
    expect(() => returnOf(stage.view, host('canary'), {})).toThrow('rolled back already');
  });
});

describe('a host whose roll back failed', () => {
  it('is available again once it is well without anybody having activated anything', () => {
    const hosts = { a: { wave: 'all' }, b: { wave: 'all' } };
    const stage = new Stage(hosts, aPolicy([aWave('all')], { onFailure: 'continue', maxUnavailable: one }));
    stage.commit('B');
    expect(stage.settle()).toEqual(['a']);
    stage.end('a', 'stuck');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('b')).toMatchObject({ kind: 'stalled' });
    stage.commit('A', { b: 'B' });
    expect(stage.settle()).toEqual(['b']);
    expect(stage.pass().get('a')).toMatchObject({ kind: 'in-sync' });
  });
});

describe('waves and their sizes', () => {
  it('a wave has failed with all of its hosts, however many the threshold says', () => {
    const stage = threeWaves({ failureThreshold: { unit: 'hosts', value: 2 } });
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'failed');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({ code: 'ROLLOUT_HALTED' });
  });

  it('hosts that Varve runs on go one after the other', () => {
    const varve = { wave: 'all', runsVarve: true };
    const stage = new Stage({ a: { wave: 'all' }, v1: varve, v2: varve }, aPolicy([aWave('all')]));
    stage.commit('B');
    stage.settle();
    stage.end('a');
    expect(stage.settle()).toEqual(['v1']);
    stage.end('v1');
    expect(stage.settle()).toEqual(['v2']);
  });
});

describe('what brings no release', () => {
  it('waits for no wave and no approval: a host that is brought back to what it has had for long', () => {
    const waves = [aWave('canary', { approval: true }), aWave('early'), aWave('rest')];
    const stage = threeWaves({}, waves, { web1: { drift: 'heal' } });
    stage.commit('B');
    const gate = { kind: 'wave', name: 'canary' } as const;
    stage.learn({ kind: 'approved', at: stage.now, observation: 2, gate, by: 'ada' });
    rollOut(stage);
    stage.commit('B', { canary: 'C' });
    stage.drift('web1', 'D');
    expect(stage.settle()).toEqual(['web1']);
    expect(stage.pass().get('canary')).toMatchObject({ waitsFor: 'approval' });
    stage.endAll();
    stage.learn({ kind: 'approved', at: stage.now, observation: 3, gate, by: 'ada' });
    stage.settle();
    stage.end('canary', 'failed');
    stage.drift('web1', 'D');
    stage.now += 86_400_000;
    expect(stage.settle()).toEqual(['web1']);
  });
});
