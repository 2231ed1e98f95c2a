import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createGitLedger, type GitLedger } from '../../controller/ledger/git-ledger.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { ledgerContract } from './ledger.contract.ts';

const git = createGitProgram({ run: createRun() });
const deps = { git, clock: createSystemClock(), log: silentLogger };

ledgerContract('in Git, in a folder of one controller', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-ledger-'));
  let current: GitLedger | undefined;
  return {
    severalWriters: false,
    async open() {
      await current?.close();
      current = createGitLedger(deps, { dir: join(folder, 'ledger.git') });
      return current;
    },
    async close() {
      await current?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

ledgerContract('in Git, with a remote that several controllers share', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-ledger-'));
  const url = join(folder, 'remote.git');
  await git.ok(['init', '--quiet', '--bare', url]);
  const all: GitLedger[] = [];
  return {
    severalWriters: true,
    async open() {
      const ledger = createGitLedger(deps, {
        dir: join(folder, `controller-${all.length}.git`),
        remote: { url },
      });
      all.push(ledger);
      return ledger;
    },
    async close() {
      for (const ledger of all) await ledger.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
