import { createPeopleCommands } from '../../controller/people/people.ts';
import type { RevertRequest } from '../../controller/source/revert.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import { parseRevision } from '../../shared/domain/names.ts';
import { sha } from './builders.ts';
import { aPolicy, aWave, Stage } from './rollout-stage.ts';

/** What people say to a fleet on paper: each append is kept, and learned at once. */
export function createPeople(stage: Stage) {
  const appends: (readonly Fact[])[] = [];
  const reverts: RevertRequest[] = [];
  let refusal: Error | undefined;
  const commands = createPeopleCommands({
    controller: {
      async command(facts) {
        appends.push(facts);
        stage.learn(...facts);
      },
      look: () => {},
    },
    reverter: {
      async revert(request) {
        if (refusal !== undefined) throw refusal;
        reverts.push(request);
        const revision = parseRevision(sha('revert'));
        return { reverted: parseRevision(request.revision), revision, subject: 'Revert' };
      },
    },
    led: () => stage.view,
    ref: 'main',
  });
  return {
    ...commands,
    appends,
    reverts,
    /** The repository takes no revert. */
    refuseReverts(error: Error): void {
      refusal = error;
    },
  };
}

/** Two routers and a web server, all of them on A. */
export function aSmallStage(): Stage {
  const stage = new Stage(
    { router1: { groups: ['routers'] }, router2: { groups: ['routers'] }, web1: { wave: 'rest' } },
    aPolicy([aWave('all'), aWave('rest', { approval: true })]),
    { groups: [{ name: 'routers', maxUnavailable: undefined, approval: false }] },
  );
  stage.pass();
  return stage;
}

/** All of them have gone to B with that observation. */
export function moved(stage: Stage, observation = 2): Stage {
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
  if (stage.runs() !== 'router1 B, router2 B, web1 B') throw new Error(stage.runs());
  return stage;
}
