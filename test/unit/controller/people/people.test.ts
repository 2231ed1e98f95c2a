import { describe, expect, it } from 'vitest';
import { adopted, host, toplevel } from '../../../support/builders.ts';
import { aSmallStage, createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

describe('whom a word is about', () => {
  it.each([
    ['web1', { kind: 'host', host: 'web1' }],
    ['routers', { kind: 'group', group: 'routers' }],
    ['fleet', { kind: 'fleet' }],
  ])('%s', async (scope, fact) => {
    const people = createPeople(aSmallStage());
    await people.hold({ scope, reason: 'tests' }, 'ada');
    expect(people.appends).toEqual([[expect.objectContaining({ kind: 'hold', scope: fact, by: 'ada' })]]);
  });

  it.each([
    ['web2', /did you mean web1\?/],
    ['router', /did you mean routers?1?\?/],
    ['flet', /did you mean fleet\?/],
    ['something else', /varve status/],
  ])('%s is nobody, and the nearest name is told', async (scope, hint) => {
    const people = createPeople(aSmallStage());
    await expect(people.hold({ scope, reason: 'tests' }, 'ada')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringMatching(hint) as string,
    });
    expect(people.appends).toEqual([]);
  });

  it('a group, where a host of that name was there once and is not named any more', async () => {
    const stage = new Stage({ db1: { groups: ['db'] } }, aPolicy([aWave('all')]), {
      groups: [{ name: 'db', maxUnavailable: undefined, approval: false }],
    });
    stage.learn(adopted('db', toplevel('A', 'db')));
    stage.pass();
    const people = createPeople(stage);
    await people.hold({ scope: 'db', reason: 'it moves' }, 'ada');
    expect(people.appends).toEqual([[expect.objectContaining({ scope: { kind: 'group', group: 'db' } })]]);
    stage.commit('B');
    expect(stage.settle()).toEqual([]);
  });

  it('a group of the last good revision, while the newest cannot be followed', async () => {
    const stage = aSmallStage();
    stage.breakManifest();
    stage.pass();
    const people = createPeople(stage);
    await people.hold({ scope: 'routers', reason: 'the new varve.yaml is broken' }, 'ada');
    expect(people.appends).toEqual([
      [expect.objectContaining({ scope: { kind: 'group', group: 'routers' } })],
    ]);
  });

  it('a group that is gone from the repository can still be released', async () => {
    const stage = aSmallStage();
    const scope = { kind: 'group', group: 'gone' } as const;
    stage.learn({ kind: 'hold', at: 1, scope, by: 'ada', reason: 'x', until: undefined });
    const { message } = await createPeople(stage).release({ scope: 'gone' }, 'ada');
    expect(message).toBe('group gone follows again');
  });
});

describe('a release', () => {
  it('ends the hold of that very host, group or fleet', async () => {
    const stage = aSmallStage();
    const people = createPeople(stage);
    await people.hold({ scope: 'routers', reason: 'x' }, 'ada');
    expect(stage.pass().get('router1')).toMatchObject({ kind: 'held' });
    await people.release({ scope: 'routers' }, 'ada');
    expect(stage.pass().get('router1')).toMatchObject({ kind: 'in-sync' });
  });

  it('is refused for a host that only its group is held with: it would change nothing', async () => {
    const people = createPeople(aSmallStage());
    await people.hold({ scope: 'routers', reason: 'x' }, 'ada');
    await expect(people.release({ scope: 'router1' }, 'ada')).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('varve release routers') as string,
    });
  });

  it('says what a host is held with besides its own hold', async () => {
    const people = createPeople(aSmallStage());
    await people.hold({ scope: 'fleet', reason: 'x' }, 'ada');
    await people.hold({ scope: 'web1', reason: 'x' }, 'ada');
    const { message } = await people.release({ scope: 'web1' }, 'ada');
    expect(message).toMatch(/but the fleet is held: `varve release fleet`/);
  });

  it('of what is not held writes nothing', async () => {
    const people = createPeople(aSmallStage());
    expect((await people.release({ scope: 'web1' }, 'ada')).message).toBe('web1 was not held');
    expect(people.appends).toEqual([]);
  });
});

describe('suspension', () => {
  it('begins nothing anywhere until somebody resumes', async () => {
    const stage = aSmallStage();
    const people = createPeople(stage);
    await people.suspend({ reason: 'batteries' }, 'ada');
    stage.commit('B');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('router1')?.reason).toMatch(/suspended by ada: batteries/);
    await people.resume('ada');
    expect(stage.settle()).toEqual(['router1', 'router2']);
  });

  it('resumed where nothing was suspended writes nothing', async () => {
    const people = createPeople(aSmallStage());
    expect((await people.resume('ada')).message).toBe('nothing was suspended');
    expect(people.appends).toEqual([]);
  });
});

it('a retry of a host says where else its wave has failed, and what tries all of it again', async () => {
  const stage = new Stage({ web1: {}, web2: {}, web3: {} }, aPolicy([aWave('all')]));
  stage.commit('B');
  stage.settle();
  stage.end('web1', 'failed');
  stage.settle();
  const people = createPeople(stage);
  expect(await people.retry(host('web3'), 'ada')).toMatchObject({
    message: expect.stringMatching(
      /of web3 are forgotten; wave all has failed on web1, .*`varve retry web1`/,
    ) as string,
  });
  expect(await people.retry(host('web1'), 'ada')).toMatchObject({
    message: 'the failures of web1 are forgotten',
  });
});

it('an override says of whom, by whom, why and until when', async () => {
  const people = createPeople(aSmallStage());
  await people.override({ scope: 'routers', reason: 'CVE', until: 9_999 }, 'ada');
  expect(people.appends[0]?.[0]).toMatchObject({
    kind: 'override',
    scope: { kind: 'group', group: 'routers' },
    by: 'ada',
    reason: 'CVE',
    until: 9_999,
  });
});

describe('an approval', () => {
  it('lets the newest release into its wave', async () => {
    const stage = aSmallStage();
    const people = createPeople(stage);
    stage.commit('B');
    stage.settle();
    stage.endAll();
    stage.settle();
    expect(stage.runs()).toBe('router1 B, router2 B, web1 A');
    await people.approve({ wave: 'rest', observation: 2 }, 'ada');
    expect(stage.settle()).toEqual(['web1']);
    const again = await people.approve({ wave: 'rest' }, 'eve');
    expect(again.message).toMatch(/already, by ada/);
    expect(people.appends).toHaveLength(1);
  });

  it.each([
    ['a wave that is not there', { wave: 'rests' }, 'NOT_FOUND', /did you mean rest\?/],
    ['a group that is not there', { group: 'nobody' }, 'NOT_FOUND', /there are: routers/],
    ['a wave that needs none', { wave: 'all' }, 'CONFLICT', /approval: true/],
    ['what was seen before something newer', { wave: 'rest', observation: 1 }, 'CONFLICT', /varve status/],
    ['what was never seen', { wave: 'rest', observation: 7 }, 'CONFLICT', /varve status/],
  ])('of %s is refused', async (_what, request, code, hint) => {
    const stage = aSmallStage();
    stage.commit('B');
    stage.pass();
    const people = createPeople(stage);
    await expect(people.approve(request, 'ada')).rejects.toMatchObject({
      code,
      hint: expect.stringMatching(hint) as string,
    });
    expect(people.appends).toEqual([]);
  });

  it('of what nobody was shown yet is refused, for a moment', async () => {
    const stage = aSmallStage();
    stage.commit('B');
    await expect(createPeople(stage).approve({ wave: 'rest' }, 'ada')).rejects.toMatchObject({
      code: 'CONFLICT',
      disposition: 'transient',
    });
  });
});
