import type { Fact } from '../../shared/domain/facts.ts';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import { damaged, decodeFact } from './codec.ts';
import { type Day, dayWith, objectId, readCommit } from './commit.ts';
import { readObjects } from './objects.ts';
import { createSharing } from './sharing.ts';

const deadlineMs = 300_000;
const listingBytes = 1024 * 1024 * 1024;

export interface History {
  /** Oldest first. */
  readonly facts: readonly Fact[];
  readonly commits: number;
  /** The day of the last commit. */
  readonly lastDay: Day | undefined;
}

/**
 * Reads every fact from the first commit to `head`, and checks on the way that each commit and each file has the hash
 * by which it is named, and that each commit follows the one before. Three processes, however long the history is; what
 * Git gives is read while Git looks for the next, and what facts have in common is in memory once.
 * @throws FleetError LEDGER_BROKEN
 */
export async function readHistory(git: GitProgram, dir: string, head: string): Promise<History> {
  const ids = await commitsUpTo(git, dir, head);
  const contents: string[] = [];
  let previous: string | undefined;
  let lastDay: Day | undefined;
  await readObjects(git, dir, ids, 'commit', (id, bytes) => {
    const commit = readCommit(id, bytes);
    if (commit.parent !== previous) throw damaged(`commit ${id}`, 'it does not follow the one before');
    previous = id;
    lastDay = dayWith(lastDay, commit.at);
    contents.push(commit.facts);
  });
  const facts: Fact[] = [];
  const shared = createSharing();
  await readObjects(git, dir, contents, 'blob', (id, bytes, n) => {
    readFile(bytes, ids[n] ?? '', id, (fact) => facts.push(shared(fact)));
  });
  return { facts, commits: ids.length, lastDay };
}

async function commitsUpTo(git: GitProgram, dir: string, head: string): Promise<readonly string[]> {
  const listed = await git.run(['rev-list', '--reverse', '--topo-order', head, '--'], {
    cwd: dir,
    deadlineMs,
    maxOutputBytes: listingBytes,
  });
  if (listed.code !== 0) throw damaged(`commit ${head}`, listed.stderrTail.trim());
  return listed.stdout.toString('utf8').split('\n').slice(0, -1);
}

function readFile(bytes: Buffer, commit: string, id: string, take: (fact: Fact) => void): void {
  const where = `commit ${commit}`;
  if (objectId('blob', bytes) !== id) throw damaged(where, `the content of ${id} does not have its hash`);
  const lines = bytes.toString('utf8').split('\n');
  if (lines.pop() !== '') throw damaged(where, 'its last line has no end');
  for (const [i, line] of lines.entries()) take(decodeFact(line, `${where}, line ${i + 1}`));
}
