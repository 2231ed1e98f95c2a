import { describe, expect, it } from 'vitest';
import type { HostSpec } from '../../../../../shared/domain/fleet.ts';
import { aPolicy, aWave, Stage } from '../../../../support/rollout-stage.ts';
import { aCheck, host } from '../../../../support/builders.ts';

const three = [aWave('canary'), aWave('early'), aWave('rest')];

/** A canary, two early ones and three others, unless said otherwise. */
function fleet(
  change: Partial<Parameters<typeof aPolicy>[1]> = {},
  waves = three,
  specs: Readonly<Record<string, Partial<HostSpec>>> = {},
): Stage {
  const hosts: Record<string, Partial<HostSpec>> = {
    canary: { wave: 'canary' },
    early1: { wave: 'early' },
    early2: { wave: 'early' },
    web1: { wave: 'rest' },
    web2: { wave: 'rest' },
    web3: { wave: 'rest' },
  };
  for (const [name, spec] of Object.entries(specs)) hosts[name] = { ...hosts[name], ...spec };
  return new Stage(hosts, aPolicy(waves, change));
}

describe('waves', () => {
  it('let one wave through after the other, each when all hosts of the one before are there', () => {
    const stage = fleet();
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
    const stage = fleet();
    stage.commit('B');
    stage.settle();
    expect(stage.pass().get('web3')?.deployment).toBeDefined();
  });

  it('skip hosts that the commit does not change', () => {
    const stage = fleet();
    stage.commit('A', { web2: 'B' });
    expect(stage.settle()).toEqual(['web2']);
  });

  it('stop where one fails: no host of it or of a later one gets the release', () => {
    const stage = fleet();
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
    const stage = fleet({ maxUnavailable: { unit: 'hosts', value: 2 } });
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
    const stage = fleet({ failureThreshold: { unit: 'hosts', value: 2 } });
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
    const stage = fleet({ onFailure: 'continue' });
    stage.commit('B');
    stage.settle();
    stage.end('canary', 'failed');
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('go on with a commit that mends it, and with a retry', () => {
    const stage = fleet();
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
    const stage = fleet();
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
    const stage = fleet();
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
    const stage = fleet({}, soaking);
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
    const stage = fleet({}, soaking);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.commit('C', { canary: 'B' });
    expect(stage.settle()).toEqual([]);
    stage.now += 60_000;
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });

  it('are not asked of a release that has soaked before: a revert is quick', () => {
    const stage = fleet({}, soaking);
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
    const stage = fleet({}, soaking);
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

describe('hosts that are away', () => {
  it('block no wave if they were away before, and catch up under the same rules', () => {
    const stage = fleet({ maxUnavailable: { unit: 'hosts', value: 1 } });
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

  it('use up the budget if they went away since', () => {
    const stage = fleet({ maxUnavailable: { unit: 'hosts', value: 2 } });
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

describe('budgets', () => {
  it('count a share of the hosts, and at least one', () => {
    const stage = fleet({ maxUnavailable: { unit: 'percent', value: 34 } }, [aWave('rest')], {
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
    const stage = fleet({ maxUnavailable: { unit: 'hosts', value: 1 } });
    stage.commit('B', { canary: 'A' });
    expect(stage.settle()).toEqual(['early1']);
    stage.commit('C');
    expect(stage.settle()).toEqual(['early1']);
    expect(stage.pass().get('canary')).toMatchObject({ kind: 'wait', waitsFor: 'budget' });
    stage.end('early1');
    expect(stage.settle()).toEqual(['canary']);
  });

  it('count a host that is stuck', () => {
    const stage = fleet({
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
});

describe('approval', () => {
  const waves = [aWave('canary'), aWave('early', { approval: true }), aWave('rest')];

  it('keeps a wave waiting until a person has given it, for these very systems', () => {
    const stage = fleet({}, waves);
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

describe('roll backs with a failed wave', () => {
  const threshold = { unit: 'hosts', value: 1 } as const;

  it('bring the hosts of the wave back to what they ran, and leave them marked', () => {
    const stage = fleet({ onFailure: 'rollback-wave', failureThreshold: threshold });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early1');
    stage.settle();
    stage.end('early2', 'failed');
    expect(stage.settle()).toEqual(['early1']);
    stage.end('early1');
    expect(stage.settle()).toEqual([]);
    expect(stage.runs()).toContain('canary B, early1 A, early2 A, web1 A');
    expect(stage.pass().get('early1')).toMatchObject({
      kind: 'stalled',
      code: 'ROLLED_BACK_WITH_WAVE',
      reason: 'it was rolled back: wave early failed: early2: early2 broke',
    });
  });

  it('bring back the hosts of all waves, and those too that were under way', () => {
    const stage = fleet({ onFailure: 'rollback-all', failureThreshold: threshold });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early2', 'failed');
    expect(stage.settle()).toEqual(['canary', 'early1']);
    stage.end('early1');
    expect(stage.settle()).toEqual(['canary', 'early1']);
    stage.endAll();
    stage.settle();
    expect(stage.runs()).toBe('canary A, early1 A, early2 A, web1 A, web2 A, web3 A');
  });

  it('are over with another commit, and with a retry', () => {
    const stage = fleet({ onFailure: 'rollback-wave', failureThreshold: threshold });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early1');
    stage.end('early2', 'failed');
    stage.settle();
    stage.endAll();
    stage.settle();
    stage.learn({ kind: 'retry', at: stage.now, host: undefined, by: 'ada', drift: undefined });
    expect(stage.settle()).toEqual(['early1', 'early2']);
    stage.endAll();
    stage.commit('C');
    expect(stage.settle()).toEqual(['canary']);
  });
});

describe('a roll back by a person', () => {
  const pin = (stage: Stage, name: string, until?: number): void => {
    const remembered = stage.memory.hosts.get(host(name));
    const { toplevel, drvPath, observation } = remembered?.before ?? { toplevel: undefined };
    if (toplevel === undefined) throw new Error('there is nothing before');
    const base = { at: stage.now, by: 'ada', reason: 'it is on fire' };
    stage.learn(
      { ...base, kind: 'hold', scope: { kind: 'host', host: host(name) }, until },
      {
        ...base,
        kind: 'pin',
        host: host(name),
        cause: 'person',
        to: { toplevel, drvPath, observation: observation ?? 0 },
        from: remembered?.desired,
      },
    );
  };
  const all = [aWave('all')];

  it('goes back at once, is held there, and is not undone by the next commit', () => {
    const stage = new Stage({ web1: {}, web2: {} }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.settle();
    pin(stage, 'web1');
    expect(stage.settle()).toEqual(['web1']);
    stage.end('web1');
    stage.settle();
    expect(stage.runs()).toBe('web1 A, web2 B');
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'held' });
    stage.commit('C');
    expect(stage.settle()).toEqual(['web2']);
    expect(stage.pass().get('web1')).toMatchObject({
      kind: 'held',
      reason: 'rolled back by ada to the system of observation 0: it is on fire',
    });
    stage.learn({
      kind: 'hold-lifted',
      at: stage.now,
      scope: { kind: 'host', host: host('web1') },
      by: 'ada',
    });
    expect(stage.settle()).toEqual(['web1', 'web2']);
  });

  it('goes on while everything is suspended, which stops all else', () => {
    const stage = new Stage({ web1: {}, web2: {} }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.commit('C');
    stage.learn({ kind: 'suspended', at: stage.now, by: 'ada', reason: 'incident' });
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web2')).toMatchObject({
      kind: 'held',
      reason: 'everything is suspended by ada: incident',
    });
    pin(stage, 'web1');
    expect(stage.settle()).toEqual(['web1']);
    stage.end('web1');
    stage.learn({ kind: 'resumed', at: stage.now, by: 'ada' });
    expect(stage.settle()).toEqual(['web2']);
  });

  it('ends with its hold', () => {
    const stage = new Stage({ web1: {} }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    pin(stage, 'web1', stage.now + 60_000);
    stage.settle();
    stage.end('web1');
    expect(stage.settle()).toEqual([]);
    stage.now += 60_000;
    expect(stage.settle()).toEqual(['web1']);
  });

  it('is not repeated when somebody switches the host meanwhile, whatever is said of drift', () => {
    const stage = new Stage({ web1: { drift: 'heal' } }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.settle();
    pin(stage, 'web1');
    stage.settle();
    stage.end('web1');
    stage.settle();
    stage.drift('web1', 'B');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
  });

  it('that fails as well is not tried again and again', () => {
    const stage = new Stage({ web1: {} }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    pin(stage, 'web1');
    stage.settle();
    stage.end('web1', 'failed');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'stalled', code: 'ACTIVATION_FAILED' });
  });
});

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

describe('health of what a rollout has changed', () => {
  const check = aCheck({ kind: 'tcp', port: 80 });
  const soaking = [aWave('canary', { soakMs: 60_000 }), aWave('early'), aWave('rest')];

  it('ends the rollout when a check fails during the soak time, and is watched all along', () => {
    const stage = fleet({}, soaking, { canary: { checks: [check] } });
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
    const stage = fleet({ onFailure: 'rollback-wave' }, soaking);
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
    const stage = fleet();
    stage.unwell('early1', 'it was so yesterday');
    stage.commit('B', { early1: 'A' });
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early2');
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
  });
});
