import { describe, expect, it } from 'vitest';
import { FleetError } from '../../../../shared/domain/errors.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import { aDeployment, adopted, anOutcome, host, toplevel } from '../../../support/builders.ts';
import { createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

const web1 = host('web1');

/** Two routers and a web server, all of them on A. */
function aStage(): Stage {
  const stage = new Stage(
    { router1: { groups: ['routers'] }, router2: { groups: ['routers'] }, web1: { wave: 'rest' } },
    aPolicy([aWave('all'), aWave('rest', { approval: true })]),
    { groups: [{ name: 'routers', maxUnavailable: undefined, approval: false }] },
  );
  stage.pass();
  return stage;
}

function moved(stage: Stage, observation = 2): Stage {
  stage.learn({
    kind: 'approved',
    at: stage.now,
    observation,
    gate: { kind: 'wave', name: 'rest' },
    by: 'eve',
  });
  stage.commit('B');
  for (let i = 0; i < 3; i += 1) {
    stage.settle();
    stage.endAll();
  }
  stage.settle();
  expect(stage.runs()).toBe('router1 B, router2 B, web1 B');
  return stage;
}

describe('whom a word is about', () => {
  it.each([
    ['web1', { kind: 'host', host: 'web1' }],
    ['routers', { kind: 'group', group: 'routers' }],
    ['fleet', { kind: 'fleet' }],
  ])('%s', async (scope, fact) => {
    const people = createPeople(aStage());
    await people.hold({ scope, reason: 'tests' }, 'ada');
    expect(people.appends).toEqual([[expect.objectContaining({ kind: 'hold', scope: fact, by: 'ada' })]]);
  });

  it.each([
    ['web2', /did you mean web1\?/],
    ['router', /did you mean routers?1?\?/],
    ['flet', /did you mean fleet\?/],
    ['something else', /varve status/],
  ])('%s is nobody, and the nearest name is told', async (scope, hint) => {
    const people = createPeople(aStage());
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
    const stage = aStage();
    stage.breakManifest();
    stage.pass();
    const people = createPeople(stage);
    await people.hold({ scope: 'routers', reason: 'the new varve.yaml is broken' }, 'ada');
    expect(people.appends).toEqual([
      [expect.objectContaining({ scope: { kind: 'group', group: 'routers' } })],
    ]);
  });

  it('a group that is gone from the repository can still be released', async () => {
    const stage = aStage();
    const scope = { kind: 'group', group: 'gone' } as const;
    stage.learn({ kind: 'hold', at: 1, scope, by: 'ada', reason: 'x', until: undefined });
    const { message } = await createPeople(stage).release({ scope: 'gone' }, 'ada');
    expect(message).toBe('group gone follows again');
  });
});

describe('a release', () => {
  it('ends the hold of that very host, group or fleet', async () => {
    const stage = aStage();
    const people = createPeople(stage);
    await people.hold({ scope: 'routers', reason: 'x' }, 'ada');
    expect(stage.pass().get('router1')).toMatchObject({ kind: 'held' });
    await people.release({ scope: 'routers' }, 'ada');
    expect(stage.pass().get('router1')).toMatchObject({ kind: 'in-sync' });
  });

  it('is refused for a host that only its group is held with: it would change nothing', async () => {
    const people = createPeople(aStage());
    await people.hold({ scope: 'routers', reason: 'x' }, 'ada');
    await expect(people.release({ scope: 'router1' }, 'ada')).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('varve release routers') as string,
    });
  });

  it('says what a host is held with besides its own hold', async () => {
    const people = createPeople(aStage());
    await people.hold({ scope: 'fleet', reason: 'x' }, 'ada');
    await people.hold({ scope: 'web1', reason: 'x' }, 'ada');
    const { message } = await people.release({ scope: 'web1' }, 'ada');
    expect(message).toMatch(/but the fleet is held: `varve release fleet`/);
  });

  it('of what is not held writes nothing', async () => {
    const people = createPeople(aStage());
    expect((await people.release({ scope: 'web1' }, 'ada')).message).toBe('web1 was not held');
    expect(people.appends).toEqual([]);
  });
});

describe('suspension', () => {
  it('begins nothing anywhere until somebody resumes', async () => {
    const stage = aStage();
    const people = createPeople(stage);
    await people.suspend({ reason: 'batteries' }, 'ada');
    stage.commit('B');
    expect(stage.settle()).toEqual([]);
    expect(stage.pass().get('router1')?.reason).toMatch(/suspended by ada: batteries/);
    await people.resume('ada');
    expect(stage.settle()).toEqual(['router1', 'router2']);
  });

  it('resumed where nothing was suspended writes nothing', async () => {
    const people = createPeople(aStage());
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
  const people = createPeople(aStage());
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
    const stage = aStage();
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
    const stage = aStage();
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
    const stage = aStage();
    stage.commit('B');
    await expect(createPeople(stage).approve({ wave: 'rest' }, 'ada')).rejects.toMatchObject({
      code: 'CONFLICT',
      disposition: 'transient',
    });
  });
});

describe('an emergency rollback', () => {
  it('is one append: the hold, and the system to return to', async () => {
    const stage = moved(aStage());
    const people = createPeople(stage);
    const done = await people.rollback(web1, { reason: 'down', until: 99_999, revert: false }, 'ada');
    expect(people.appends).toEqual([
      [
        expect.objectContaining({ kind: 'hold', scope: { kind: 'host', host: web1 }, until: 99_999 }),
        expect.objectContaining({
          kind: 'pin',
          host: web1,
          cause: 'person',
          to: { toplevel: toplevel('A', 'web1'), drvPath: undefined, observation: 0 },
          from: toplevel('B', 'web1'),
          reason: 'down',
        }),
      ],
    ]);
    expect(done).toMatchObject({ host: web1, to: { observation: 0 } });
    expect(done).not.toHaveProperty('reverted');
  });

  it('brings the host back, whatever is suspended, and keeps it there when another commit comes', async () => {
    const stage = moved(aStage());
    const people = createPeople(stage);
    await people.suspend({ reason: 'nobody touches anything' }, 'ada');
    await people.rollback(web1, { reason: 'down', revert: false }, 'ada');
    expect(stage.settle()).toEqual(['web1']);
    stage.endAll();
    await people.resume('ada');
    stage.commit('C');
    stage.settle();
    stage.endAll();
    expect(stage.pass().get('web1')).toMatchObject({
      kind: 'held',
      reason: expect.stringMatching(/down/) as string,
    });
    expect(stage.runs()).toMatch(/web1 A$/);
    await people.release({ scope: 'web1' }, 'ada');
    await people.approve({ wave: 'rest' }, 'ada');
    stage.settle();
    expect(stage.activating()).toEqual(['web1']);
  });

  it('goes to the generation that is named, also to one that needed no deployment', async () => {
    const stage = moved(aStage());
    // The same system of web1 as before: generation 3 without a deployment.
    stage.commit('C', { web1: 'B' });
    stage.settle();
    stage.endAll();
    stage.learn({ kind: 'approved', at: 1, observation: 4, gate: { kind: 'wave', name: 'rest' }, by: 'ada' });
    stage.commit('D');
    for (let i = 0; i < 3; i += 1) {
      stage.settle();
      stage.endAll();
    }
    stage.settle();
    expect(stage.runs()).toMatch(/web1 D$/);
    const people = createPeople(stage);
    const back = async (toGeneration: number) =>
      (await people.rollback(web1, { toGeneration, reason: 'x', revert: false }, 'ada')).to;
    expect(await back(3)).toEqual({ toplevel: toplevel('B', 'web1'), observation: 3 });
    expect(await back(1)).toEqual({ toplevel: toplevel('A', 'web1'), observation: 1 });
    expect(await back(0)).toEqual({ toplevel: toplevel('A', 'web1'), observation: 0 });
    const { to } = await people.rollback(
      web1,
      { toplevel: toplevel('B', 'web1'), reason: 'x', revert: false },
      'ada',
    );
    expect(to).toEqual({ toplevel: toplevel('B', 'web1'), observation: 2 });
  });

  it.each([
    ['a generation that never was', { toGeneration: 9 }, 'NOT_FOUND', /generation 9 has never run on web1/],
    ['a system that never ran there', { toplevel: toplevel('Z') }, 'NOT_FOUND', /has never run on web1/],
    ['what runs there, confirmed', { toGeneration: 2 }, 'CONFLICT', /runs generation 2 already/],
  ])('to %s is refused', async (_what, wish, code, message) => {
    const people = createPeople(moved(aStage()));
    const asked = people.rollback(web1, { ...wish, reason: 'x', revert: false }, 'ada');
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(people.appends).toEqual([]);
  });

  describe('of a host that was never confirmed on what it leaves', () => {
    const unconfirmed = (how: 'under way' | 'stuck'): Stage => {
      const stage = new Stage({ web1: {} }, aPolicy([aWave('all')]));
      for (const letter of ['B', 'C']) {
        stage.commit(letter);
        stage.settle();
        if (letter === 'B') stage.endAll();
      }
      if (how === 'stuck') {
        stage.drift('web1', 'C');
        stage.end('web1', 'stuck');
      }
      stage.pass();
      return stage;
    };

    it.each(['under way', 'stuck'] as const)(
      '(%s) goes to what was, and reverts the commit that wants the other',
      async (how) => {
        const stage = unconfirmed(how);
        const people = createPeople(stage);
        const { to } = await people.rollback(web1, { reason: 'down', revert: true }, 'ada');
        expect(to).toEqual({ toplevel: toplevel('B', 'web1'), observation: 2 });
        expect(people.reverts).toMatchObject([{ revision: stage.memory.observations.at(-1)?.revision }]);
        if (how === 'under way') stage.endAll();
        stage.settle();
        stage.endAll();
        stage.pass();
        expect(stage.runs()).toBe('web1 B');
      },
    );

    it('goes to what it runs where what was confirmed last only waits for its reboot', async () => {
      const stage = new Stage({ web1: { mode: 'boot' } }, aPolicy([aWave('all')]));
      const reached = (phase: 'succeeded' | 'awaiting-reboot', letter: string, n: number): Fact =>
        anOutcome(
          aDeployment({
            id: parseDeploymentId(`d00000${n}`),
            observation: n,
            toplevel: toplevel(letter, 'web1'),
            mode: phase === 'succeeded' ? 'switch' : 'boot',
          }),
          { phase, at: stage.now, previous: toplevel(letter === 'B' ? 'A' : 'B', 'web1') },
        );
      stage.commit('B');
      stage.learn(reached('succeeded', 'B', 2));
      stage.drift('web1', 'B');
      stage.commit('C');
      stage.learn(reached('awaiting-reboot', 'C', 3));
      stage.commit('D');
      const under = aDeployment({
        id: parseDeploymentId('d000004'),
        observation: 4,
        toplevel: toplevel('D', 'web1'),
      });
      const { aim } = anOutcome(under);
      stage.learn({ kind: 'intent', at: stage.now, aim, connection: under.next, reason: 'x', createdAt: 1 });
      stage.pass();
      const { to } = await createPeople(stage).rollback(web1, { reason: 'down', revert: false }, 'ada');
      expect(to.toplevel).toBe(toplevel('B', 'web1'));
    });

    it('may name that by its generation, although the last probe found it there', async () => {
      const people = createPeople(unconfirmed('under way'));
      const wish = { toGeneration: 2, reason: 'down', revert: false };
      expect((await people.rollback(web1, wish, 'ada')).to.toplevel).toBe(toplevel('B', 'web1'));
    });

    it('goes to what it ran when it was adopted, where that is all that there was', async () => {
      const stage = new Stage({ web1: {} }, aPolicy([aWave('all')]));
      stage.commit('B');
      stage.settle();
      stage.drift('web1', 'B');
      stage.end('web1', 'stuck');
      stage.pass();
      const { to } = await createPeople(stage).rollback(web1, { reason: 'down', revert: false }, 'ada');
      expect(to).toMatchObject({ toplevel: toplevel('A', 'web1'), observation: 0 });
    });
  });

  it('to a generation that failed there is refused: it never ran', async () => {
    const stage = aStage();
    stage.commit('B');
    stage.settle();
    stage.end('router1', 'failed');
    const people = createPeople(stage);
    const wish = { toGeneration: 2, reason: 'x', revert: false };
    await expect(people.rollback(host('router1'), wish, 'ada')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('of a host that has run nothing else under this Varve is refused', async () => {
    const people = createPeople(aStage());
    const asked = people.rollback(web1, { reason: 'x', revert: false }, 'ada');
    await expect(asked).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no other system/) as string,
    });
  });

  it('twice without a generation is refused: the system before is the one that it was taken away from', async () => {
    const stage = moved(aStage());
    const people = createPeople(stage);
    await people.rollback(web1, { reason: 'x', revert: false }, 'ada');
    stage.settle();
    stage.endAll();
    stage.settle();
    const again = people.rollback(web1, { reason: 'y', revert: false }, 'eve');
    await expect(again).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/ada has rolled web1 back already, to generation 0/) as string,
    });
  });

  it('of a host without an owner is refused', async () => {
    const stage = aStage();
    stage.learn({ kind: 'retry', at: 1, host: host('web9'), by: 'ada', drift: undefined });
    const asked = createPeople(stage).rollback(host('web9'), { reason: 'x', revert: false }, 'ada');
    await expect(asked).rejects.toMatchObject({ code: 'UNMANAGED' });
  });

  it('can make the revert as well: of the commit that brought what the host leaves, whatever came after it', async () => {
    const stage = moved(aStage());
    const brought = stage.memory.observations.at(-1)?.revision;
    stage.commit('B', { router1: 'C' });
    stage.settle();
    const people = createPeople(stage);
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toMatchObject([{ revision: brought, actor: 'ada' }]);
    expect(done.reverted).toMatchObject({ reverted: brought, ref: 'main' });
  });

  it('reverts what the host leaves, not what has yet to reach it', async () => {
    const stage = moved(aStage());
    const brought = stage.memory.observations.at(-1)?.revision;
    stage.commit('C');
    stage.settle();
    const people = createPeople(stage);
    await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toMatchObject([{ revision: brought }]);
  });

  it('has a person say which commit it was where the one before was never evaluated', async () => {
    const stage = aStage();
    stage.breakManifest();
    const people = createPeople(moved(stage, 3));
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toEqual([]);
    expect(done.revertFailure).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/or with/) as string,
    });
  });

  it('reverts nothing where the host goes back to what Git wants there already', async () => {
    const stage = moved(aStage());
    stage.commit('A');
    const people = createPeople(stage);
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toEqual([]);
    expect(done.revertFailure).toMatchObject({ code: 'CONFLICT' });
  });

  it('stands where the commit cannot be reverted, and says why there is no revert', async () => {
    const stage = moved(aStage());
    const people = createPeople(stage);
    people.refuseReverts(
      new FleetError({ code: 'CONFLICT', disposition: 'stalled', message: 'the same lines' }),
    );
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(done).toMatchObject({ done: true, revertFailure: { code: 'CONFLICT' } });
    expect(people.appends).toHaveLength(1);
  });
});
