import { FleetError } from '../../shared/domain/errors.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import { damaged, decodeFact } from './codec.ts';
import { objectId, readCommit } from './commit.ts';

/** How many commits are read with one pair of processes: what bounds the memory. */
const batch = 10_000;
const deadlineMs = 300_000;
const outputBytes = 1024 * 1024 * 1024;

export interface History {
  /** Oldest first. */
  readonly facts: readonly Fact[];
  readonly commits: number;
}

/**
 * Reads every fact from the first commit to `head`, and checks on the way that each commit and each file has the hash
 * by which it is named, and that each commit follows the one before.
 * @throws FleetError LEDGER_BROKEN
 */
export async function readHistory(git: GitProgram, dir: string, head: string): Promise<History> {
  const ids = await commitsUpTo(git, dir, head);
  const facts: Fact[] = [];
  let previous: string | undefined;
  for (let from = 0; from < ids.length; from += batch) {
    const part = ids.slice(from, from + batch);
    const contents: string[] = [];
    for (const [i, bytes] of (await objects(git, dir, part, 'commit')).entries()) {
      const id = part[i] ?? '';
      const commit = readCommit(id, bytes);
      if (commit.parent !== previous) throw damaged(`commit ${id}`, 'it does not follow the one before');
      previous = id;
      contents.push(commit.facts);
    }
    for (const [i, bytes] of (await objects(git, dir, contents, 'blob')).entries()) {
      readFile(bytes, part[i] ?? '', contents[i] ?? '', facts);
    }
  }
  return { facts, commits: ids.length };
}

async function commitsUpTo(git: GitProgram, dir: string, head: string): Promise<readonly string[]> {
  const listed = await git.run(['rev-list', '--reverse', '--topo-order', head, '--'], {
    cwd: dir,
    deadlineMs,
    maxOutputBytes: outputBytes,
  });
  if (listed.code !== 0) throw damaged(`commit ${head}`, listed.stderrTail.trim());
  return listed.stdout.toString('utf8').split('\n').slice(0, -1);
}

function readFile(bytes: Buffer, commit: string, id: string, into: Fact[]): void {
  const where = `commit ${commit}`;
  if (objectId('blob', bytes) !== id) throw damaged(where, `the content of ${id} does not have its hash`);
  const lines = bytes.toString('utf8').split('\n');
  if (lines.pop() !== '') throw damaged(where, 'its last line has no end');
  for (const [i, line] of lines.entries()) into.push(decodeFact(line, `${where}, line ${i + 1}`));
}

/** The contents of objects, in the order of their ids, by one process. */
async function objects(
  git: GitProgram,
  dir: string,
  ids: readonly string[],
  type: 'commit' | 'blob',
): Promise<readonly Buffer[]> {
  const result = await git.run(['cat-file', '--batch', '--buffer'], {
    cwd: dir,
    input: ids.map((id) => `${id}\n`).join(''),
    deadlineMs,
    maxOutputBytes: outputBytes,
  });
  if (result.truncated) throw tooLarge();
  const out: Buffer[] = [];
  let at = 0;
  for (const id of ids) {
    const lineEnd = result.stdout.indexOf(10, at);
    const header = lineEnd < 0 ? '' : result.stdout.toString('latin1', at, lineEnd);
    const [found, foundType, size] = header.split(' ');
    if (found !== id || foundType !== type || size === undefined) {
      throw damaged(
        `${type} ${id}`,
        header === '' ? result.stderrTail.trim() || 'unreadable' : 'it is missing',
      );
    }
    const start = lineEnd + 1;
    const end = start + Number(size);
    out.push(result.stdout.subarray(start, end));
    at = end + 1;
  }
  return out;
}

function tooLarge(): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'stalled',
    message: `${batch} commits of the ledger hold more than ${outputBytes} bytes`,
  });
}
