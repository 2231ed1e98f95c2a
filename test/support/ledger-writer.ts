import { createGitLedger } from '../../controller/ledger/git-ledger.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { anIntent } from './ledger-facts.ts';

/**
 * A program that appends to a ledger until it is killed: `ledger-writer DIR [REMOTE]`. Says `loaded N` and then the
 * number of each fact that was acknowledged.
 */
const [dir = '', url] = process.argv.slice(2);
const ledger = createGitLedger(
  { git: createGitProgram({ run: createRun() }), clock: createSystemClock(), log: silentLogger },
  { dir, ...(url === undefined ? {} : { remote: { url } }) },
);
const facts = await ledger.load();
process.stdout.write(`loaded ${facts.length}\n`);
for (let n = facts.length; ; n += 1) {
  const appended = await ledger.append([anIntent(n)]);
  if (appended.kind !== 'appended') throw new Error(`unexpected: ${appended.kind}`);
  process.stdout.write(`${n}\n`);
}
