import { plainPolicy } from '../simulation/policy.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import { startFreeRunning } from '../simulation/free-running.ts';
import { createRepository, type TreeContent } from '../simulation/models/model-source.ts';
import { sourceContract, type CommittedFiles } from './source.contract.ts';

function contentOf({ readme, hosts }: CommittedFiles): TreeContent {
  const names = hosts === 'invalid' ? [] : hosts.map(parseHostName);
  return {
    hosts: new Map(names.map((name) => [name, { variant: 0, quality: 'good', port: 22 }])),
    readme: readme.charCodeAt(0),
    evaluates: true,
    manifestIsValid: hosts !== 'invalid',
  };
}

sourceContract('the model', async () => {
  const { scheduler, faults, stop } = startFreeRunning('source');
  let answers = true;
  const repository = createRepository({
    scheduler,
    faults: { ...faults, strikes: (kind) => kind === 'source-down' && !answers },
    first: contentOf({ readme: 'z', hosts: [] }),
    policy: plainPolicy,
  });
  return {
    open: async (controller) => repository.connect(scheduler.spawn(controller)),
    async commit(files) {
      const { revision, tree } = repository.commit(contentOf(files));
      return { revision, tree, author: 'someone', subject: 'a change' };
    },
    async point(revision) {
      const commit = repository.heads().find((head) => head.revision === revision);
      if (commit === undefined) throw new Error(`${revision} was never a head`);
      repository.force(commit);
    },
    async down() {
      answers = false;
    },
    async up() {
      answers = true;
    },
    close: stop,
  };
});
