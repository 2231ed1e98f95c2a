import { createPeopleCommands } from '../../controller/people/people.ts';
import type { RevertRequest } from '../../controller/source/revert.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import { parseRevision } from '../../shared/domain/names.ts';
import { sha } from './builders.ts';
import type { Stage } from './rollout-stage.ts';

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
