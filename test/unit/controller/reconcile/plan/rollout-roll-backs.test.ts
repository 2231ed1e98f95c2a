import { describe, expect, it } from 'vitest';
import { Stage, aPolicy, aWave, threeWaves } from '../../../../support/rollout-stage.ts';
import { aCheck, host } from '../../../../support/builders.ts';

const threshold = { unit: 'hosts', value: 1 } as const;

describe('roll backs with a failed wave', () => {
  it('bring the hosts of the wave back to what they ran, and leave them marked', () => {
    const stage = threeWaves({ onFailure: 'rollback-wave', failureThreshold: threshold });
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
    const stage = threeWaves({ onFailure: 'rollback-all', failureThreshold: threshold });
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
    const stage = threeWaves({ onFailure: 'rollback-wave', failureThreshold: threshold });
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

  it('stay as they are where another host is to be tried again, and are over once that is that failed', () => {
    const waves = [aWave('canary'), aWave('early', { soakMs: 60_000 }), aWave('rest')];
    const stage = threeWaves({ onFailure: 'rollback-wave', failureThreshold: threshold }, waves);
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.endAll();
    stage.settle();
    // On record, although it is well again once it is back.
    stage.unwell('early2', 'it does not answer');
    expect(stage.settle()).toEqual(['early1', 'early2']);
    stage.well('early2');
    stage.endAll();
    const retry = (name: string): void =>
      stage.learn({ kind: 'retry', at: stage.now, host: host(name), by: 'ada', drift: undefined });
    retry('web3');
    retry('early1');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web3')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    retry('early2');
    expect(stage.settle()).toEqual(['early1', 'early2']);
  });
});

describe('a roll back with a failed wave', () => {
  it('of all waves keeps what failed from who comes late to one of them, too', () => {
    const stage = threeWaves({ onFailure: 'rollback-all', failureThreshold: threshold });
    const hold = { at: 0, by: 'ada', scope: { kind: 'host', host: host('canary') } } as const;
    stage.learn({ ...hold, kind: 'hold', reason: 'x', until: undefined });
    stage.commit('B');
    stage.settle();
    stage.end('early1');
    stage.settle();
    stage.end('early2', 'failed');
    stage.settle();
    stage.endAll();
    stage.learn({ ...hold, kind: 'hold-lifted' });
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('canary')).toMatchObject({ kind: 'stalled', code: 'ROLLOUT_HALTED' });
    expect(stage.runs()).toContain('canary A, early1 A, early2 A');
  });

  it('is asked nothing by the checks of the release that it takes back', () => {
    const kind = { kind: 'http', url: 'http://canary/new', status: 200 } as const;
    const checks = [aCheck(kind), aCheck(kind, { before: true })];
    const stage = new Stage(
      { canary: { checks }, web1: { checks } },
      aPolicy([aWave('all')], { onFailure: 'rollback-wave' }),
    );
    stage.commit('B');
    stage.settle();
    stage.end('web1');
    stage.end('canary', 'failed');
    expect(stage.settle()).toEqual(['web1']);
    expect(stage.live('web1')?.checks).toEqual([]);
  });

  it.each([false, true])(
    'is over once it is back: drift is not healed in a freeze (newest unreadable: %s)',
    (unreadable) => {
      const freeze = {
        from: 50_000,
        until: 90_000,
        scope: { kind: 'fleet' },
        reason: 'Christmas',
        author: 'ada',
      } as const;
      const stage = new Stage(
        { canary: { drift: 'heal' }, web1: { drift: 'heal' } },
        aPolicy([aWave('all')], { onFailure: 'rollback-wave' }),
        { freezes: [freeze] },
      );
      stage.commit('B');
      stage.settle();
      stage.end('web1');
      stage.end('canary', 'failed');
      stage.settle();
      stage.endAll();
      stage.settle();
      expect(stage.runs()).toBe('canary A, web1 A');
      if (unreadable) stage.breakManifest();
      stage.now = 60_000;
      stage.drift('web1', 'C');
      expect(stage.settle()).toEqual([]);
      expect(stage.pass().get('web1')).toMatchObject({ kind: 'wait', waitsFor: 'window' });
      stage.now = 90_000;
      expect(stage.settle()).toEqual(['web1']);
    },
  );

  it('goes on when the next varve.yaml cannot be read, but not on a host of a group that is held', () => {
    const stage = threeWaves(
      { onFailure: 'rollback-wave', failureThreshold: { unit: 'hosts', value: 1 } },
      undefined,
      { early1: { groups: ['shop'] } },
    );
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early1');
    stage.settle();
    stage.end('early2', 'failed');
    stage.pass();
    const base = { at: stage.now, scope: { kind: 'group', group: 'shop' } as const, by: 'ada' };
    stage.learn({ ...base, kind: 'hold', reason: 'a sale', until: undefined });
    stage.breakManifest();
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('early1')).toMatchObject({
      kind: 'held',
      reason: expect.stringMatching('a sale'),
    });
    stage.learn({ ...base, kind: 'hold-lifted' });
    expect(stage.settle()).toEqual(['early1']);
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

  /** Its one host ran B, and is on its way back to A, to be held there for so long. */
  const goingBack = (forMs?: number): Stage => {
    const stage = new Stage({ web1: {} }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    pin(stage, 'web1', forMs === undefined ? undefined : stage.now + forMs);
    stage.settle();
    return stage;
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

  it('is no failure of the release where it fails', () => {
    const stage = threeWaves();
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    pin(stage, 'canary');
    stage.settle();
    stage.end('canary', 'failed');
    stage.endAll();
    expect(stage.settle()).toEqual(['web1', 'web2', 'web3']);
    expect(stage.pass().get('canary')).toMatchObject({
      kind: 'stalled',
      reason: 'it failed here before: canary broke',
    });
  });

  it('is not taken back by one of its wave, which fails meanwhile', () => {
    const stage = threeWaves({ onFailure: 'rollback-wave' });
    stage.commit('B');
    stage.settle();
    stage.end('canary');
    stage.settle();
    stage.end('early1');
    pin(stage, 'early1');
    stage.end('early2', 'failed');
    expect(stage.settle()).toEqual(['early1']);
    stage.end('early1');
    stage.settle();
    expect(stage.runs()).toContain('early1 A, early2 A');
    expect(stage.pass().get('early1')).toMatchObject({
      kind: 'held',
      reason: expect.stringContaining('rolled back by ada'),
    });
  });

  it('is over with its hold: a later one leaves the host where it is', () => {
    const stage = goingBack(60_000);
    stage.end('web1');
    stage.now += 60_000;
    stage.settle();
    stage.end('web1');
    const scope = { kind: 'host', host: host('web1') } as const;
    stage.learn({ kind: 'hold', at: stage.now, scope, by: 'ada', reason: 'hands off', until: undefined });
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'held', reason: 'held by ada: hands off' });
    expect(stage.runs()).toBe('web1 B');
  });

  it('ends with its hold', () => {
    const stage = goingBack(60_000);
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

  it('is left alone when somebody switches the host, also where an attempt at the release has not ended well before', () => {
    const stage = new Stage({ web1: { drift: 'heal' } }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.commit('C');
    stage.settle();
    stage.end('web1', 'unconfirmed');
    pin(stage, 'web1');
    expect(stage.settle()).toEqual(['web1']);
    stage.end('web1');
    stage.settle();
    expect(stage.runs()).toBe('web1 A');
    stage.drift('web1', 'D');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
  });

  it('does not wait for a varve.yaml that can be read; nobody else moves meanwhile', () => {
    const stage = new Stage({ web1: {}, web2: {} }, aPolicy(all));
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.settle();
    stage.breakManifest();
    pin(stage, 'web1');
    expect(stage.settle()).toEqual(['web1']);
    stage.end('web1');
    expect(stage.settle()).toEqual([]);
    expect(stage.runs()).toBe('web1 A, web2 B');
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'held' });
    expect(stage.pass().get('web2')).toMatchObject({ kind: 'stalled', code: 'MANIFEST_INVALID' });
    stage.learn({
      kind: 'hold-lifted',
      at: stage.now,
      scope: { kind: 'host', host: host('web1') },
      by: 'ada',
    });
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'stalled', code: 'MANIFEST_INVALID' });
    stage.commit('B');
    expect(stage.settle()).toEqual(['web1']);
  });

  it('that fails as well is not tried again and again', () => {
    const stage = goingBack();
    stage.end('web1', 'failed');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('web1')).toMatchObject({ kind: 'stalled', code: 'ACTIVATION_FAILED' });
  });
});
