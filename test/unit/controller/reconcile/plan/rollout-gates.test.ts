import { describe, expect, it } from 'vitest';
import { Stage, aPolicy, aWave, threeWaves } from '../../../../support/rollout-stage.ts';
import { host } from '../../../../support/builders.ts';

/** One host may be unavailable, and the one called `a` is: it is stuck on the way to B. */
function stuckOnA(hosts: ConstructorParameters<typeof Stage>[0]): Stage {
  const policy = { maxUnavailable: { unit: 'hosts', value: 1 }, onFailure: 'continue' } as const;
  const stage = new Stage(hosts, aPolicy([aWave('all')], policy));
  stage.commit('B');
  stage.settle();
  stage.end('a', 'stuck');
  return stage;
}

describe('budgets', () => {
  it('count a share of the hosts, and at least one', () => {
    const stage = threeWaves({ maxUnavailable: { unit: 'percent', value: 34 } }, [aWave('rest')], {
      canary: { wave: 'rest' },
      early1: { wave: 'rest' },
      early2: { wave: 'rest' },
    });
    stage.commit('B');
    expect(stage.settle()).toHaveLength(2);
    expect(stage.pass().get('web3')).toMatchObject({ kind: 'wait', waitsFor: 'budget' });
    stage.end('canary');
    expect(stage.settle()).toHaveLength(2);
  });

  it('hold for a wave and for a group as well', () => {
    const routers = {
      name: 'routers',
      maxUnavailable: { unit: 'hosts', value: 1 },
      approval: false,
    } as const;
    const member = { groups: ['routers'] };
    const stage = new Stage(
      { r1: member, r2: member, web1: {}, web2: {} },
      aPolicy([aWave('all', { maxUnavailable: { unit: 'hosts', value: 3 } })]),
      { groups: [routers] },
    );
    stage.commit('B');
    expect(stage.settle()).toEqual(['r1', 'web1', 'web2']);
    stage.end('web1');
    expect(stage.settle()).toEqual(['r1', 'web2']);
    stage.end('r1');
    expect(stage.settle()).toEqual(['r2', 'web2']);
  });

  it('are shared with what an older observation has under way', () => {
    const stage = threeWaves({ maxUnavailable: { unit: 'hosts', value: 1 } });
    stage.commit('B', { canary: 'A' });
    expect(stage.settle()).toEqual(['early1']);
    stage.commit('C');
    expect(stage.settle()).toEqual(['early1']);
    expect(stage.pass().get('canary')).toMatchObject({ kind: 'wait', waitsFor: 'budget' });
    stage.end('early1');
    expect(stage.settle()).toEqual(['canary']);
  });

  it('count a host that is stuck', () => {
    const stage = threeWaves({
      maxUnavailable: { unit: 'hosts', value: 1 },
      failureThreshold: { unit: 'hosts', value: 5 },
    });
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'stuck');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
  });
});

describe('dependencies', () => {
  it('let routers go before what is behind them', () => {
    const stage = new Stage(
      { router: {}, web1: { after: [host('router')] }, web2: {} },
      aPolicy([aWave('all')]),
    );
    stage.commit('B');
    expect(stage.settle()).toEqual(['router', 'web2']);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'dependency' });
    stage.end('router');
    expect(stage.settle()).toEqual(['web1', 'web2']);
  });

  it('stop what is behind a host that failed', () => {
    const stage = new Stage(
      { router: {}, web1: { after: [host('router')] }, web2: {} },
      aPolicy([aWave('all')], { failureThreshold: { unit: 'hosts', value: 2 } }),
    );
    stage.commit('B');
    stage.settle();
    stage.end('router', 'failed');
    stage.settle();
    expect(stage.pass().get('web1')).toMatchObject({
      kind: 'stalled',
      reason: 'router comes first, and failed: router broke',
    });
  });

  it('stop what is behind a host that cannot go on, and what is behind that', () => {
    const stage = stuckOnA({ a: {}, b: { after: ['c'].map(host) }, c: { after: ['d'].map(host) }, d: {} });
    expect(stage.settle()).toEqual([]);
    const verdicts = stage.pass();
    expect(verdicts.get('d')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    const limit = 'at most 1 of the fleet may be unavailable at once, and these are: a';
    expect(verdicts.get('c')).toMatchObject({
      kind: 'stalled',
      reason: `d comes first, and cannot go on: ${limit}`,
    });
    expect(verdicts.get('b')).toMatchObject({
      kind: 'stalled',
      reason: `c comes first, and cannot go on: d comes first, and cannot go on: ${limit}`,
    });
  });

  it('stop a host that is to test its branch where its budget is used up, before anything is delivered', () => {
    const stage = stuckOnA({ a: {}, b: {} });
    stage.test('b', 'T');
    expect(stage.settle()).toEqual([]);
    const limit = 'at most 1 of the fleet may be unavailable at once, and these are: a';
    expect(stage.pass().get('b')).toMatchObject({ kind: 'stalled', reason: limit, deployment: undefined });
  });

  it('let a host that Varve runs on go alone, whatever it is brought, and whatever the other is', () => {
    const stage = new Stage({ hub: { runsVarve: true }, web1: {} }, aPolicy([aWave('all')]));
    stage.test('web1', 'C');
    expect(stage.settle()).toEqual(['web1']);
    stage.commit('A', { hub: 'B' });
    expect(stage.settle()).toEqual(['web1']);
    stage.test('hub', 'D');
    expect(stage.settle()).toEqual(['web1']);
    stage.end('web1');
    expect(stage.settle()).toEqual(['hub']);
  });

  it('let a host that Varve runs on go last, and alone', () => {
    const stage = new Stage({ hub: { runsVarve: true }, web1: {}, web2: {} }, aPolicy([aWave('all')]));
    stage.commit('B');
    expect(stage.settle()).toEqual(['web1', 'web2']);
    stage.end('web1');
    expect(stage.settle()).toEqual(['web2']);
    stage.end('web2');
    expect(stage.settle()).toEqual(['hub']);
    stage.commit('C');
    expect(stage.settle()).toEqual(['hub']);
    stage.end('hub');
    expect(stage.settle()).toEqual(['web1', 'web2']);
  });

  it('stop all hosts that Varve runs on where another one cannot go on', () => {
    const varve = { runsVarve: true };
    const stage = stuckOnA({ a: {}, hub1: varve, hub2: varve, web1: {} });
    expect(stage.settle()).toEqual([]);
    const verdicts = stage.pass();
    expect(verdicts.get('web1')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    for (const name of ['hub1', 'hub2']) {
      expect(verdicts.get(name)).toMatchObject({
        kind: 'stalled',
        reason: expect.stringContaining('web1 comes first, and cannot go on'),
      });
    }
  });
});

describe('approval', () => {
  const waves = [aWave('canary'), aWave('early', { approval: true }), aWave('rest')];

  it('keeps a wave waiting until a person has given it, for these very systems', () => {
    const stage = threeWaves({}, waves);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({
      kind: 'wait',
      waitsFor: 'approval',
      reason: 'observation 2 is not approved for wave early: `varve approve early`',
    });
    stage.learn({
      kind: 'approved',
      at: stage.now,
      observation: 2,
      gate: { kind: 'wave', name: 'early' },
      by: 'ada',
    });
    expect(stage.settle()).toEqual(['early1', 'early2']);
    // What changes other hosts only needs no new word; what changes these does.
    stage.commit('B', { web1: 'C' });
    stage.endAll();
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
    stage.commit('D');
    stage.endAll();
    expect(stage.settle()).toEqual(['canary']);
    stage.end('canary');
    expect(stage.settle()).toEqual([]);
  });
});

describe('windows', () => {
  const nights = [{ kind: 'allow', schedule: '0 22 * * *', durationMs: 3_600_000, timeZone: 'UTC' }] as const;
  const hour = 3_600_000;

  it('let nothing begin while they are closed, and are told with the time when they open', () => {
    const stage = new Stage({ web1: { windows: nights }, web2: {} }, aPolicy([aWave('all')]));
    stage.commit('B');
    expect(stage.settle()).toEqual(['web2']);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'window', until: 22 * hour });
    stage.now = 22 * hour;
    expect(stage.settle()).toEqual(['web1', 'web2']);
    // What is under way goes on when it closes.
    stage.now = 23 * hour;
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'activation' });
  });

  it('keep a wave behind the host waiting, and give way to an override', () => {
    const stage = new Stage(
      { canary: { wave: 'canary', windows: nights }, web1: { wave: 'rest' } },
      aPolicy([aWave('canary'), aWave('rest')]),
    );
    stage.commit('B');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'wave' });
    stage.learn({
      kind: 'override',
      at: stage.now,
      scope: { kind: 'host', host: host('canary') },
      by: 'ada',
      reason: 'it burns',
      until: stage.now + hour,
    });
    expect(stage.settle()).toEqual(['canary']);
  });

  it('heal no drift while they are closed', () => {
    const stage = new Stage({ web1: { drift: 'heal', windows: nights } }, aPolicy([aWave('all')]));
    stage.now = 22 * hour;
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.now = 24 * hour;
    stage.drift('web1', 'C');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'window' });
  });
});
