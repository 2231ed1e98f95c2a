import { describe, expect, it } from 'vitest';
import type { ViewContext } from '../../../../controller/views/context.ts';
import { why } from '../../../../controller/views/why/why.ts';
import type { ProbeReport } from '../../../../shared/domain/contact.ts';
import type { Drift } from '../../../../shared/domain/drift.ts';
import type { ErrorCode } from '../../../../shared/domain/errors.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import type { Verdict } from '../../../../shared/domain/verdict.ts';
import {
  adopted,
  aDeployment,
  aFailure,
  aFleet,
  anOutcome,
  aReport,
  aSpec,
  host,
  observed,
  reached,
  released,
  remembering,
  toplevel,
  wanting,
} from '../../../support/builders.ts';
import { createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

function twoWaves(change: Parameters<typeof aPolicy>[1] = {}, web2 = {}): Stage {
  const hosts = { canary1: { wave: 'canary' }, web1: { wave: 'rest' }, web2: { wave: 'rest', ...web2 } };
  const stage = new Stage(hosts, aPolicy([aWave('canary'), aWave('rest')], change));
  stage.pass();
  stage.commit('B');
  stage.settle();
  return stage;
}

/** What is told of a host, and much later the same: that may not have moved since. */
function told(stage: Stage, name: string) {
  stage.pass();
  const first = why(stage.view, host(name));
  stage.now += 100_000;
  stage.pass();
  expect(why(stage.view, host(name)).since).toBe(first.since);
  return first;
}

/** A host that was judged by hand, after these facts. */
function judged(facts: readonly Fact[], verdict: Partial<Verdict>, report: Partial<ProbeReport> = {}) {
  const web1 = host('web1');
  const said: Verdict = {
    host: web1,
    kind: 'stalled',
    reason: 'so it is',
    waitsFor: undefined,
    until: undefined,
    toplevel: toplevel('B'),
    deployment: undefined,
    code: undefined,
    ...verdict,
  };
  const memory = remembering(...facts);
  const n = memory.observations.length;
  const contacts = new Map([[web1, reached('web1', aReport(report), 90_000)]]);
  const view: ViewContext = {
    at: 100_000,
    memory,
    source: { kind: 'unseen' },
    activity: () => undefined,
    last: {
      at: 100_000,
      desired: wanting(n, 'B', aFleet([aSpec('web1')]), { web1: 'B' }),
      verdicts: [said],
      rollout: undefined,
      requeueAt: undefined,
      snapshot: { contacts, deployments: [], pending: new Set(), evaluations: [] },
    },
  };
  return why(view, web1);
}

const setback = (at: number, change: Parameters<typeof aDeployment>[0]): Fact =>
  anOutcome(aDeployment(change), {
    at,
    phase: 'unconfirmed',
    failure: aFailure({ code: 'REBOOT_FAILED', disposition: 'transient' }),
  });

describe('a halted host says since when it is', () => {
  it('by the failure of a wave', () => {
    const stage = twoWaves();
    stage.end('canary1', 'failed');
    stage.pass();
    const failed = stage.memory.acts.findLast(({ kind }) => kind === 'rollout');
    expect(told(stage, 'web1')).toMatchObject({ verdict: 'stalled', since: failed?.at });
  });

  it('by a wave whose host went away, of which the ledger has nothing', () => {
    const stage = twoWaves();
    stage.end('canary1');
    stage.away('canary1');
    const gone = stage.now;
    expect(told(stage, 'web1')).toMatchObject({
      verdict: 'stalled',
      reason: expect.stringContaining('wave canary failed') as string,
      since: gone,
    });
  });

  it('by the failure of a host that it comes after, and so on behind that', () => {
    const hosts = {
      web1: {},
      web2: { after: [host('web1')] },
      web3: { after: [host('web2')] },
      web4: {},
    };
    const threshold = { unit: 'hosts', value: 2 } as const;
    const stage = new Stage(hosts, aPolicy([aWave('all')], { failureThreshold: threshold }));
    stage.pass();
    stage.commit('B');
    stage.settle();
    stage.end('web1', 'failed');
    const failed = stage.now;
    expect(told(stage, 'web2')).toMatchObject({ verdict: 'stalled', since: failed });
    expect(told(stage, 'web3')).toMatchObject({ verdict: 'stalled', since: failed });
  });

  it('also where its closure was delivered at another time', () => {
    const stage = twoWaves();
    const delivered = stage.now;
    stage.now += 50_000;
    stage.end('canary1', 'failed');
    expect(told(stage, 'web1').since).toBeGreaterThan(delivered + 40_000);
  });
});

describe('a host that was rolled back says since when', () => {
  it('by the failure of its wave', () => {
    const stage = new Stage({ web1: {}, web2: {} }, aPolicy([aWave('all')], { onFailure: 'rollback-wave' }));
    stage.pass();
    stage.commit('B');
    stage.settle();
    stage.end('web1');
    stage.end('web2', 'failed');
    stage.settle();
    stage.endAll();
    const pin = stage.memory.hosts.get(host('web1'))?.pin;
    expect(pin).toBeDefined();
    expect(told(stage, 'web1')).toMatchObject({ verdict: 'stalled', since: pin?.at, pin: { cause: 'wave' } });
  });

  it('by a person, although everything was suspended later', async () => {
    const stage = twoWaves();
    stage.endAll();
    stage.settle();
    const people = createPeople(stage);
    await people.rollback(host('canary1'), { reason: 'down', revert: false }, 'ada');
    const back = stage.now;
    stage.settle();
    stage.end('canary1');
    stage.now += 10_000;
    await people.suspend({ reason: 'batteries' }, 'bob');
    const answer = told(stage, 'canary1');
    expect(answer.verdict).toBe('held');
    expect(answer.since).toBe(stage.memory.hosts.get(host('canary1'))?.pin?.at);
    expect(answer.since).toBeLessThanOrEqual(back);
  });
});

describe('a host that is held says since when', () => {
  it('by the hold, not by what was delivered to it before', async () => {
    const stage = twoWaves();
    stage.now += 10_000;
    await createPeople(stage).hold({ scope: 'web1', reason: 'the sale' }, 'ada');
    stage.pass();
    const answer = why(stage.view, host('web1'));
    expect(answer).toMatchObject({ verdict: 'held' });
    expect(answer.since).toBe(answer.hold?.since);
  });
});

describe('a host that drifted says since when', () => {
  const drifted = { code: 'DRIFTED' } as const;
  const drift: Drift = { kind: 'switched', generation: 7, at: 80_000, sightings: [] };
  const facts = [observed(1, 'B'), released('B', { web1: 'B' })];

  it('by what the host can tell', () => {
    expect(judged(facts, drifted, { drift }).since).toBe(80_000);
  });

  it('by when it was seen, where the host cannot tell, or its clock is ahead', () => {
    expect(judged(facts, drifted, { drift: { ...drift, at: undefined } }).since).toBe(90_000);
    expect(judged(facts, drifted, { drift: { ...drift, at: 95_000 } }).since).toBe(90_000);
    expect(judged(facts, drifted).since).toBe(90_000);
  });

  it('and not by a reboot that came to nothing before', () => {
    const reboot = setback(5_000, { toplevel: toplevel('B'), action: 'reboot' });
    expect(judged([...facts, reboot], drifted, { drift }).since).toBe(80_000);
  });

  it('and while it is not brought back yet, by when it was the last time', () => {
    const stage = new Stage({ web1: { drift: 'heal' } }, aPolicy([aWave('all')]));
    stage.pass();
    stage.commit('B');
    stage.settle();
    stage.end('web1');
    stage.drift('web1', 'A');
    stage.settle();
    stage.end('web1');
    const healed = stage.now;
    stage.drift('web1', 'A');
    stage.pass();
    const answer = why(stage.view, host('web1'));
    expect(answer).toMatchObject({ verdict: 'wait', waitsFor: 'back-off', since: healed });
  });
});

describe('what went wrong with another system than the one that is wanted', () => {
  const facts = [
    observed(1, 'A'),
    released('A', { web1: 'A' }),
    setback(5_000, { toplevel: toplevel('A'), action: 'activate' }),
  ];

  it.each<ErrorCode>(['BUILD_FAILED', 'OWNED_BY', 'EVALUATION_FAILED'])('says nothing of %s', (code) => {
    expect(judged(facts, { code }).since).toBeUndefined();
  });
});

describe('a build that failed', () => {
  it('says since when, on the host that it was tried for', () => {
    const failure = aFailure({ code: 'BUILD_FAILED' });
    const outcome = anOutcome(aDeployment({ toplevel: toplevel('B') }), {
      at: 7_000,
      phase: 'failed',
      failure,
    });
    expect(judged([outcome], { code: 'BUILD_FAILED' }).since).toBe(7_000);
  });
});

describe('a host that the repository', () => {
  const without = (n: number): readonly Fact[] => [observed(n, `W${n}`), released(`W${n}`, { db1: 'A' })];
  const withIt = (n: number): readonly Fact[] => [observed(n, `B${n}`), released(`B${n}`, { web1: 'B' })];

  it('names no more says since which commit', () => {
    const facts = [adopted('web1', toplevel('A')), ...without(1), ...withIt(2), ...without(3), ...without(4)];
    expect(judged(facts, { kind: 'orphaned' }).since).toBe(3_000);
  });

  it('names says since which commit it could have been adopted', () => {
    const facts = [...without(1), ...withIt(2), observed(3, 'never evaluated'), ...withIt(4)];
    expect(judged(facts, { kind: 'unmanaged', code: 'UNMANAGED' }).since).toBe(2_000);
  });

  it('names, and that lost its owner, does not know since when', () => {
    const facts = [adopted('web1', toplevel('A')), ...withIt(1)];
    expect(judged(facts, { kind: 'unmanaged', code: 'UNMANAGED' }).since).toBeUndefined();
  });
});

describe('a host that Varve itself runs on', () => {
  const aStage = (others: number): Stage => {
    const names = Array.from({ length: others }, (_, i) => `web${i + 1}`);
    const hosts = { ...Object.fromEntries(names.map((name) => [name, {}])), ops1: { runsVarve: true } };
    const most = { unit: 'hosts', value: 1 } as const;
    const stage = new Stage(hosts, aPolicy([aWave('all')], { maxUnavailable: most }));
    stage.pass();
    stage.commit('B');
    stage.settle();
    return stage;
  };

  it('names the others, which all go first', () => {
    const stage = aStage(2);
    const answer = told(stage, 'ops1');
    expect(answer).toMatchObject({ verdict: 'wait', waitsFor: 'web1, web2' });
    expect(answer.chain.map(({ statement }) => statement)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Varve itself runs on it, so it goes alone, and web1 is under way: wait: /),
        expect.stringMatching(/^Varve itself runs on it, so it goes last, and web2 is not there yet: /),
      ]),
    );
  });

  it('names a few of many', () => {
    const answer = told(aStage(20), 'ops1');
    expect(answer.waitsFor).toMatch(/^(web\d+, ){4}web\d+ and 15 more$/);
    expect(answer.chain.map(({ statement }) => statement)).toContain('it waits for 15 more');
  });

  it('is named by others that wait until it is done', () => {
    const hosts = { ops1: { runsVarve: true }, ops2: { runsVarve: true } };
    const stage = new Stage(hosts, aPolicy([aWave('all')]));
    stage.pass();
    stage.commit('B');
    stage.settle();
    const answer = told(stage, 'ops2');
    expect(answer).toMatchObject({ verdict: 'wait', waitsFor: 'ops1' });
    expect(answer.chain.map(({ statement }) => statement)).toContainEqual(
      expect.stringMatching(/^Varve itself runs on ops1, which is activated alone: wait: deployment /),
    );
  });
});
