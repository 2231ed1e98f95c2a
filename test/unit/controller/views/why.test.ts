import { describe, expect, it } from 'vitest';
import { why } from '../../../../controller/views/why/why.ts';
import type { Why } from '../../../../shared/contracts/api.ts';
import type { HostSpec } from '../../../../shared/domain/fleet.ts';
import { host, toplevel } from '../../../support/builders.ts';
import { createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

const waves = [aWave('canary', { soakMs: 60_000 }), aWave('rest')];

/** One canary and two others, unless said otherwise. */
function aStage(
  change: Parameters<typeof aPolicy>[1] = {},
  specs: Readonly<Record<string, Partial<HostSpec>>> = {},
  of = waves,
): Stage {
  const hosts: Record<string, Partial<HostSpec>> = {
    canary1: { wave: 'canary' },
    web1: { wave: 'rest', groups: ['shop'] },
    web2: { wave: 'rest', groups: ['shop'] },
  };
  for (const [name, spec] of Object.entries(specs)) hosts[name] = { ...hosts[name], ...spec };
  const groups = [{ name: 'shop', maxUnavailable: undefined, approval: false }];
  const stage = new Stage(hosts, aPolicy(of, change), { groups });
  stage.pass();
  return stage;
}

function told(stage: Stage, name: string): Why {
  stage.pass();
  return why(stage.view, host(name));
}

function statements({ chain }: Why): readonly string[] {
  return chain.map(({ statement }) => statement);
}

describe('why a host is not updated', () => {
  it('names the wave that comes first, and the hosts of it that are not there yet', () => {
    const stage = aStage();
    stage.commit('B');
    stage.settle();
    const answer = told(stage, 'web1');
    expect(answer).toMatchObject({ verdict: 'wait', waitsFor: 'wave canary' });
    expect(statements(answer)).toEqual([
      expect.stringMatching(/wave canary comes first/),
      'it is in wave rest, number 2 of 2 of the rollout of observation 2',
      expect.stringMatching(/^wave canary comes before it \(moving, 0 of 1 hosts done\)/),
      expect.stringMatching(/^canary1 of wave canary: wait: deployment d000001 is activating/),
      expect.stringMatching(/^it was last confirmed on .*, by observation 0$/),
      'observation 2: B{} (Ada)',
    ]);
  });

  it('says until when the wave before it is watched', () => {
    const stage = aStage();
    stage.commit('B');
    stage.settle();
    stage.end('canary1');
    const ends = stage.now + 60_000;
    const answer = told(stage, 'web1');
    expect(answer).toMatchObject({ waitsFor: 'the soak time of wave canary', until: ends });
    expect(answer.chain).toContainEqual(
      expect.objectContaining({
        statement: expect.stringMatching(/wave canary comes before it \(soaking/) as string,
        until: ends,
      }),
    );
  });

  it('names the wave that failed, on which host, and what to do', () => {
    const stage = aStage();
    stage.commit('B');
    stage.settle();
    stage.end('canary1', 'failed');
    const answer = told(stage, 'web1');
    expect(answer.verdict).toBe('stalled');
    expect(statements(answer)).toEqual(
      expect.arrayContaining([
        'wave canary failed: canary1: canary1 broke',
        'canary1 of wave canary: canary1 broke',
      ]),
    );
    expect(answer.advice).toMatch(/revert, or commit a fix; `varve why canary1`/);
  });

  it('sends nobody who went back with a wave to a retry of that host alone, which brings it nowhere', () => {
    const stage = aStage({ onFailure: 'rollback-wave' }, {}, [aWave('rest')]);
    stage.commit('B');
    stage.settle();
    stage.end('web1');
    stage.end('web2', 'failed');
    stage.settle();
    stage.endAll();
    const answer = told(stage, 'web1');
    expect(answer.reason).toMatch(/^it was rolled back: wave rest failed: web2/);
    expect(answer.advice).toBe('revert, or commit a fix; `varve retry` tries the same release again');
  });

  it('points to the deployment that failed, also where the host went further back since', () => {
    const stage = aStage({}, {}, [aWave('canary'), aWave('rest')]);
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.settle();
    stage.endAll();
    stage.commit('C');
    stage.settle();
    stage.end('canary1', 'failed');
    const failed = stage.memory.outcomes.at(-1)?.aim.deployment;
    const said = { at: stage.now, by: 'ada', reason: 'it is on fire' };
    const [name, to] = [
      host('canary1'),
      { toplevel: toplevel('A', 'canary1'), drvPath: undefined, observation: 1 },
    ];
    stage.learn(
      { ...said, kind: 'hold', scope: { kind: 'host', host: name }, until: undefined },
      { ...said, kind: 'pin', host: name, cause: 'person', to, from: undefined },
    );
    stage.settle();
    stage.end('canary1');
    const links = ['canary1', 'web1'].flatMap((each) => told(stage, each).chain);
    const about = links.filter(
      ({ statement }) => statement.endsWith('canary1 broke') && !statement.startsWith('wave'),
    );
    expect(about.map(({ deployment }) => deployment)).toEqual([failed, failed]);
  });

  it('names the approval of a group that a host of the wave before waits for', () => {
    const groups = [{ name: 'routers', maxUnavailable: undefined, approval: true }];
    const hosts = { r1: { wave: 'canary', groups: ['routers'] }, web1: { wave: 'rest' } };
    const stage = new Stage(hosts, aPolicy(waves), { groups });
    stage.commit('B');
    stage.settle();
    const answer = told(stage, 'web1');
    expect(answer.advice).toBe('`varve approve routers`');
    expect(statements(answer)).toContain("group routers takes a person's approval: `varve approve routers`");
  });

  it('tells who went back with its wave what lets it go on while people keep it as it is', async () => {
    const stage = aStage({ onFailure: 'rollback-wave' }, {}, [aWave('rest')]);
    stage.commit('B');
    stage.settle();
    stage.end('web1');
    stage.end('web2', 'failed');
    const failedAt = stage.now;
    stage.settle();
    stage.endAll();
    expect(told(stage, 'web1').chain).toContainEqual(
      expect.objectContaining({
        statement: expect.stringMatching(/^wave rest failed: web2/) as string,
        at: expect.toSatisfy((at: number) => at >= failedAt && at < failedAt + 1_000) as number,
      }),
    );
    const people = createPeople(stage);
    await people.hold({ scope: 'fleet', reason: 'nobody is here' }, 'eve');
    expect(told(stage, 'web1').advice).toBe('`varve release fleet` lets it follow again');
    await people.suspend({ reason: 'no power' }, 'eve');
    const suspended = told(stage, 'web1');
    expect(suspended.advice).toBe('`varve resume` lets everything go on');
    expect(suspended.waitsFor).toBe('`varve resume`');
  });

  it('names the approval that is missing, and the command that gives it', () => {
    const stage = aStage({}, {}, [aWave('canary'), aWave('rest', { approval: true })]);
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.settle();
    const answer = told(stage, 'web1');
    expect(answer).toMatchObject({ waitsFor: 'approval of wave rest', advice: '`varve approve rest`' });
    expect(statements(answer)).toContain(
      "wave rest takes a person's approval of observation 2: `varve approve rest`",
    );
  });

  it('tells who waits for the wave before it that the approval is missing there', () => {
    const stage = aStage({}, {}, [aWave('canary', { approval: true }), aWave('rest')]);
    stage.commit('B');
    stage.settle();
    const answer = told(stage, 'web1');
    expect(statements(answer)).toContain("wave canary takes a person's approval: `varve approve canary`");
    expect(answer.advice).toBe('`varve approve canary`');
  });

  it('names the hosts that use up a budget', () => {
    const stage = aStage({ maxUnavailable: { unit: 'hosts', value: 1 } }, {}, [
      aWave('canary'),
      aWave('rest'),
    ]);
    stage.commit('B');
    stage.settle();
    stage.endAll();
    expect(stage.settle()).toEqual(['web1']);
    const answer = told(stage, 'web2');
    expect(answer).toMatchObject({ waitsFor: 'budget' });
    expect(statements(answer)).toContain('web1 is activating');
  });

  it('names the hosts that come first', () => {
    const stage = aStage({}, { web2: { after: [host('web1')] } }, [aWave('canary'), aWave('rest')]);
    stage.commit('B');
    stage.settle();
    stage.endAll();
    expect(stage.settle()).toEqual(['web1']);
    const answer = told(stage, 'web2');
    expect(answer).toMatchObject({ waitsFor: 'web1' });
    expect(statements(answer)).toContainEqual(
      expect.stringMatching(/^it comes after web1, which is not there yet: wait: deployment/),
    );
  });

  it('names the hold, of whom, since when and until when, and how it ends', async () => {
    const stage = aStage();
    const until = stage.now + 50_000;
    await createPeople(stage).hold({ scope: 'shop', reason: 'the sale', until }, 'ada');
    const answer = told(stage, 'web1');
    expect(answer).toMatchObject({
      verdict: 'held',
      waitsFor: 'the end of the hold of group shop',
      until,
      hold: { scope: 'shop', by: 'ada', reason: 'the sale' },
      advice: '`varve release shop` lets it follow again',
    });
    expect(answer.since).toBe(answer.hold?.since);
    expect(answer.chain).toContainEqual(
      expect.objectContaining({ statement: 'ada holds group shop: the sale', until }),
    );
  });

  it('names the suspension of everything', async () => {
    const stage = aStage();
    await createPeople(stage).suspend({ reason: 'batteries' }, 'ada');
    const answer = told(stage, 'web1');
    expect(answer.since).toBe(stage.memory.suspended?.at);
    expect(answer).toMatchObject({ waitsFor: '`varve resume`' });
    expect(answer.advice).toMatch(/varve resume/);
    expect(statements(answer)).toContain('ada has suspended everything: batteries');
  });

  it('names the roll back, and that a release lets the host follow again', async () => {
    const stage = aStage({}, {}, [aWave('canary'), aWave('rest')]);
    stage.commit('B');
    for (let i = 0; i < 3; i += 1) {
      stage.settle();
      stage.endAll();
    }
    stage.settle();
    await createPeople(stage).rollback(host('web1'), { reason: 'down', revert: false }, 'ada');
    stage.settle();
    stage.endAll();
    const answer = told(stage, 'web1');
    expect(answer).toMatchObject({
      verdict: 'held',
      pin: { cause: 'person', observation: 0, by: 'ada' },
      advice: expect.stringMatching(/`varve release web1`.*revert or mend/) as string,
    });
    expect(statements(answer)).toContainEqual(
      expect.stringMatching(/^ada takes it back to generation 0 \(\/nix\/store\/.+\): down$/),
    );
  });

  it('names who overrides the windows, and until when', async () => {
    const stage = aStage();
    const until = stage.now + 50_000;
    await createPeople(stage).override({ scope: 'fleet', reason: 'CVE', until }, 'ada');
    const answer = told(stage, 'web1');
    expect(answer.chain).toContainEqual(
      expect.objectContaining({
        statement: 'ada lets windows and freezes of the fleet not count: CVE',
        until,
      }),
    );
  });

  it('says since when a host is unreachable', () => {
    const stage = aStage();
    stage.away('web1');
    const since = stage.now;
    const answer = told(stage, 'web1');
    expect(answer).toMatchObject({ verdict: 'unreachable', since });
  });

  it('knows no other host, and tells the nearest', () => {
    const stage = aStage();
    expect(() => told(stage, 'web3')).toThrow(expect.objectContaining({ hint: 'did you mean web1?' }));
  });
});

describe('why a host that runs what is wanted is degraded', () => {
  it('says that its boot menu could not be written when generations went, and where to look', () => {
    const stage = aStage();
    stage.pass();
    const { last } = stage.view;
    const contact = last?.snapshot.contacts.get(host('web1'));
    if (last === undefined || contact?.kind !== 'reached') throw new Error('web1 was not probed');
    const tidied = { agoMs: 1, failures: 2, failure: 'the boot menu could not be written' };
    const contacts = new Map([
      ...last.snapshot.contacts,
      [host('web1'), { ...contact, report: { ...contact.report, tidied } }] as const,
    ]);
    const view = { ...stage.view, last: { ...last, snapshot: { ...last.snapshot, contacts } } };
    const answer = why(view, host('web1'));
    expect(answer).toMatchObject({ verdict: 'in-sync', health: 'Degraded' });
    expect(statements(answer)).toContain(
      'old profile generations were to go: the boot menu could not be written',
    );
    expect(answer.advice).toContain('journalctl -u varve-tidy');
  });
});
