import { describe, expect, it } from 'vitest';
import { FleetError } from '../../../../shared/domain/errors.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import { aDeployment, anOutcome, host, toplevel } from '../../../support/builders.ts';
import { aSmallStage, createPeople, moved } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

const web1 = host('web1');

describe('an emergency rollback', () => {
  it('is one append: the hold, and the system to return to', async () => {
    const stage = moved(aSmallStage());
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
    const stage = moved(aSmallStage());
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
    const stage = moved(aSmallStage());
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
    const people = createPeople(moved(aSmallStage()));
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
    const stage = aSmallStage();
    stage.commit('B');
    stage.settle();
    stage.end('router1', 'failed');
    const people = createPeople(stage);
    const wish = { toGeneration: 2, reason: 'x', revert: false };
    await expect(people.rollback(host('router1'), wish, 'ada')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('of a host that has run nothing else under this Varve is refused', async () => {
    const people = createPeople(aSmallStage());
    const asked = people.rollback(web1, { reason: 'x', revert: false }, 'ada');
    await expect(asked).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no other system/) as string,
    });
  });

  it('twice without a generation is refused: the system before is the one that it was taken away from', async () => {
    const stage = moved(aSmallStage());
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
    const stage = aSmallStage();
    stage.learn({ kind: 'retry', at: 1, host: host('web9'), by: 'ada', drift: undefined });
    const asked = createPeople(stage).rollback(host('web9'), { reason: 'x', revert: false }, 'ada');
    await expect(asked).rejects.toMatchObject({ code: 'UNMANAGED' });
  });

  it('can make the revert as well: of the commit that brought what the host leaves, whatever came after it', async () => {
    const stage = moved(aSmallStage());
    const brought = stage.memory.observations.at(-1)?.revision;
    stage.commit('B', { router1: 'C' });
    stage.settle();
    const people = createPeople(stage);
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toMatchObject([{ revision: brought, actor: 'ada' }]);
    expect(done.reverted).toMatchObject({ reverted: brought, ref: 'main' });
  });

  it('reverts what the host leaves, not what has yet to reach it', async () => {
    const stage = moved(aSmallStage());
    const brought = stage.memory.observations.at(-1)?.revision;
    stage.commit('C');
    stage.settle();
    const people = createPeople(stage);
    await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toMatchObject([{ revision: brought }]);
  });

  it('has a person say which commit it was where the one before was never evaluated', async () => {
    const stage = aSmallStage();
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
    const stage = moved(aSmallStage());
    stage.commit('A');
    const people = createPeople(stage);
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(people.reverts).toEqual([]);
    expect(done.revertFailure).toMatchObject({ code: 'CONFLICT' });
  });

  it('stands where the commit cannot be reverted, and says why there is no revert', async () => {
    const stage = moved(aSmallStage());
    const people = createPeople(stage);
    people.refuseReverts(
      new FleetError({ code: 'CONFLICT', disposition: 'stalled', message: 'the same lines' }),
    );
    const done = await people.rollback(web1, { reason: 'x', revert: true }, 'ada');
    expect(done).toMatchObject({ done: true, revertFailure: { code: 'CONFLICT' } });
    expect(people.appends).toHaveLength(1);
  });
});
