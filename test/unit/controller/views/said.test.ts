import { beforeAll, describe, expect, it } from 'vitest';
import { hostHistory, showDeployment, showRevision } from '../../../../controller/views/history.ts';
import { hostStatuses, planView } from '../../../../controller/views/status.ts';
import { why } from '../../../../controller/views/why/why.ts';
import { host } from '../../../support/builders.ts';
import { createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

/** web1 was rolled back (and so is held); windows are overridden and everything is suspended. */
const stage = new Stage({ web1: {}, web2: {} }, aPolicy([aWave('all')]));
const web1 = host('web1');
const until = 500_000;
const said = {
  hold: { scope: 'web1', by: 'ada', reason: 'down', since: expect.any(Number) as number, until },
  pin: { cause: 'person', observation: 0, by: 'ada', reason: 'down', since: expect.any(Number) as number },
  override: { scope: 'fleet', by: 'bob', reason: 'CVE', since: expect.any(Number) as number, until },
};
const suspended = { by: 'bob', reason: 'batteries', since: expect.any(Number) as number };

beforeAll(async () => {
  stage.pass();
  stage.commit('B');
  stage.settle();
  stage.endAll();
  const people = createPeople(stage);
  await people.rollback(web1, { reason: 'down', revert: false, until }, 'ada');
  stage.settle();
  stage.endAll();
  await people.override({ scope: 'fleet', reason: 'CVE', until }, 'bob');
  await people.suspend({ reason: 'batteries' }, 'bob');
  stage.pass();
});

describe('what people said of a host: who, why, since when and until when', () => {
  it('is in the status', () => {
    expect(hostStatuses(stage.view).find((each) => each.host === web1)).toMatchObject(said);
  });

  it('is in the plan', () => {
    const plan = planView(stage.view);
    expect(plan).toMatchObject({ suspended });
    expect(plan.verdicts.find((each) => each.host === web1)).toMatchObject(said);
  });

  it('is in the answer to why', () => {
    expect(why(stage.view, web1)).toMatchObject({ suspended, ...said });
  });

  it('is in its history, however long ago it was said', () => {
    const history = hostHistory(stage.view, web1, 1);
    expect(history).toMatchObject({ acts: [{ act: 'suspended' }], suspended, ...said });
  });

  it('is with its deployments', () => {
    const outcome = stage.memory.hosts.get(web1)?.lastOutcome;
    if (outcome === undefined) throw new Error('nothing was deployed');
    const shown = showDeployment(stage.view, outcome.aim.deployment);
    expect(shown).toMatchObject({ deployment: { host: web1, suspended, ...said } });
  });

  it('is with a revision, host by host', () => {
    const newest = stage.memory.observations.at(-1);
    if (newest === undefined) throw new Error('nothing was observed');
    const shown = showRevision(stage.view, newest.revision);
    if (shown.kind !== 'revision') throw new Error('it is no revision');
    expect(shown.revision).toMatchObject({ suspended });
    const [first, second] = shown.revision.generations;
    expect(first).toMatchObject({ host: web1, ...said });
    expect(second).toMatchObject({ hold: undefined, pin: undefined, override: said.override });
  });
});
