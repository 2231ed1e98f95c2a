import { plainPolicy } from '../simulation/policy.ts';
import { parseHostName, type Revision } from '../../shared/domain/names.ts';
import { startFreeRunning } from '../simulation/free-running.ts';
import { createRepository, type Commit, type TreeContent } from '../simulation/models/model-source.ts';
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
  const commitOf = (revision: Revision): Commit => {
    const commit = repository.find(revision);
    if (commit === undefined) throw new Error(`there is no ${revision}`);
    return commit;
  };
  return {
    open: async (controller) => repository.connect(scheduler.spawn(controller)),
    async commit(files) {
      const { revision, tree } = repository.commit(contentOf(files));
      return { revision, tree, author: 'someone', subject: 'a change' };
    },
    async test(host, files, onto) {
      const { revision, tree } = repository.test(parseHostName(host), contentOf(files), commitOf(onto));
      return { revision, tree, author: 'someone', subject: 'a change' };
    },
    async pointTest(host, revision) {
      repository.pointTest(parseHostName(host), revision === undefined ? undefined : commitOf(revision));
    },
    async point(revision) {
      repository.force(commitOf(revision));
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
