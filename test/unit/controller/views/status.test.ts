import { describe, expect, it } from 'vitest';
import { gatesOf } from '../../../../controller/views/gates.ts';
import { fleetHistory, hostHistory } from '../../../../controller/views/history.ts';
import { overridesNow, suspensionOf, wideHolds } from '../../../../controller/views/people.ts';
import { rolloutOf } from '../../../../controller/views/rollout.ts';
import { hostStatuses, planView } from '../../../../controller/views/status.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import { aDeployment, anOutcome, host } from '../../../support/builders.ts';
import { createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

function aStage(): Stage {
  const stage = new Stage(
    { canary1: { wave: 'canary' }, web1: { wave: 'rest', groups: ['shop'] } },
    aPolicy([aWave('canary'), aWave('rest', { approval: true })]),
    { groups: [{ name: 'shop', maxUnavailable: undefined, approval: true }] },
  );
  stage.pass();
  return stage;
}

describe('what people said', () => {
  it('is shown with every host that it is about, and with the fleet', async () => {
    const stage = aStage();
    const people = createPeople(stage);
    const until = stage.now + 90_000;
    await people.hold({ scope: 'shop', reason: 'the sale', until }, 'ada');
    await people.override({ scope: 'fleet', reason: 'CVE', until }, 'eve');
    await people.suspend({ reason: 'batteries' }, 'ada');
    stage.pass();
    const [canary1, web1] = hostStatuses(stage.view);
    const override = { scope: 'fleet', by: 'eve', reason: 'CVE', until };
    const hold = { scope: 'shop', by: 'ada', reason: 'the sale', until };
    expect(canary1).toMatchObject({ wave: 'canary', groups: [], override });
    expect(canary1?.hold).toBeUndefined();
    expect(web1).toMatchObject({ wave: 'rest', groups: ['shop'], hold, override });
    expect(planView(stage.view)).toMatchObject({
      suspended: { by: 'ada', reason: 'batteries' },
      verdicts: [{ host: 'canary1' }, { host: 'web1', hold }],
    });
    expect(wideHolds(stage.view)).toMatchObject([hold]);
    expect(overridesNow(stage.view)).toMatchObject([override]);
    expect(suspensionOf(stage.view)).toMatchObject({ by: 'ada', reason: 'batteries' });
  });

  it('is not shown any more when its time is over', async () => {
    const stage = aStage();
    const people = createPeople(stage);
    const until = stage.now + 1_000;
    await people.hold({ scope: 'shop', reason: 'x', until }, 'ada');
    await people.override({ scope: 'fleet', reason: 'x', until }, 'ada');
    stage.now = until;
    stage.pass();
    expect([...wideHolds(stage.view), ...overridesNow(stage.view)]).toEqual([]);
    expect(hostStatuses(stage.view)[1]).toMatchObject({ hold: undefined, override: undefined });
  });

  it('is in the history of the fleet, and of the hosts that it is about', async () => {
    const stage = aStage();
    const people = createPeople(stage);
    await people.hold({ scope: 'shop', reason: 'the sale', until: 99_999 }, 'ada');
    await people.hold({ scope: 'canary1', reason: 'firmware' }, 'ada');
    const shown = (name: string) => hostHistory(stage.view, host(name), 10).acts.map(({ text }) => text);
    expect(shown('web1')).toEqual(['the sale', 'adopted']);
    expect(shown('canary1')).toEqual(['firmware', 'adopted']);
    expect((await fleetHistory(stage.view, 10)).acts.slice(0, 2)).toMatchObject([
      { act: 'hold', host: 'canary1', by: 'ada' },
      { act: 'hold', scope: 'shop', by: 'ada', until: 99_999 },
    ]);
  });
});

describe('a rollout', () => {
  const states = (stage: Stage) =>
    rolloutOf(stage.view)?.waves.map(({ name, state, done, total }) => `${name} ${state} ${done}/${total}`);

  it('is shown wave by wave, with the gates that wait for an approval', async () => {
    const stage = aStage();
    stage.commit('B');
    stage.settle();
    stage.pass();
    expect(states(stage)).toEqual(['canary moving 0/1', 'rest waiting 0/1']);
    expect(rolloutOf(stage.view)?.since).toBeDefined();
    stage.endAll();
    stage.settle();
    expect(states(stage)).toEqual(['canary passed 1/1', 'rest approval 0/1']);
    expect(gatesOf(stage.view)).toMatchObject([
      { kind: 'wave', name: 'rest', observation: 2, waiting: 1 },
      { kind: 'group', name: 'shop', observation: 2, waiting: 1 },
    ]);
    const people = createPeople(stage);
    await people.approve({ wave: 'rest' }, 'ada');
    stage.settle();
    expect(gatesOf(stage.view)).toMatchObject([
      { name: 'rest', waiting: 0, approved: { by: 'ada' } },
      { name: 'shop', waiting: 1 },
    ]);
    await people.approve({ group: 'shop' }, 'ada');
    stage.settle();
    expect(states(stage)).toEqual(['canary passed 1/1', 'rest moving 0/1']);
  });

  it('that failed is shown as failed where it failed, and as waiting behind it', () => {
    const stage = aStage();
    stage.commit('B');
    stage.settle();
    stage.end('canary1', 'failed');
    stage.settle();
    expect(states(stage)).toEqual(['canary failed 0/1', 'rest waiting 0/1']);
    expect(rolloutOf(stage.view)?.waves[0]).toMatchObject({ failed: 1, reason: 'canary1: canary1 broke' });
  });

  it('approved before is approved for a commit that leaves the systems as they are', async () => {
    const stage = aStage();
    stage.commit('B');
    stage.pass();
    await createPeople(stage).approve({ wave: 'rest' }, 'ada');
    stage.commit('B');
    stage.pass();
    expect(gatesOf(stage.view)[0]).toMatchObject({ observation: 3, approved: { by: 'ada' } });
  });

  it('is said to be approved by whose approval it is', async () => {
    const stage = aStage();
    const people = createPeople(stage);
    for (const [letter, by] of [
      ['B', 'ada'],
      ['C', 'eve'],
    ] as const) {
      stage.commit(letter);
      stage.settle();
      await people.approve({ wave: 'rest' }, by);
    }
    stage.commit('B');
    stage.pass();
    expect(gatesOf(stage.view)[0]).toMatchObject({ observation: 4, approved: { by: 'ada' } });
    expect((await people.approve({ wave: 'rest' }, 'bob')).message).toMatch(/already, by ada$/);
  });
});

describe('a failure', () => {
  it('is that of the system that is wanted now, not of one that failed in the same way since', () => {
    const stage = new Stage({ web1: {} }, aPolicy([aWave('all')]));
    const failsToBuild = (letter: string): void => {
      stage.commit(letter);
      const observation = stage.memory.observations.at(-1)?.n ?? 0;
      const wanted = [...stage.memory.releases.values()].at(-1)?.hosts.get(host('web1'));
      if (wanted === undefined) throw new Error('nothing is wanted');
      const { toplevel, drvPath } = wanted;
      const id = parseDeploymentId(`d00000${letter.toLowerCase()}`);
      const failure = {
        code: 'BUILD_FAILED',
        disposition: 'stalled',
        message: `${letter} is broken`,
      } as const;
      const deployment = aDeployment({ id, observation, toplevel, drvPath });
      stage.learn(anOutcome(deployment, { at: stage.now, phase: 'failed', failure }));
      stage.pass();
    };
    failsToBuild('B');
    failsToBuild('C');
    stage.commit('B');
    stage.pass();
    expect(hostStatuses(stage.view)).toMatchObject([
      { verdict: 'stalled', failure: { code: 'BUILD_FAILED', message: 'B is broken' } },
    ]);
  });
});
