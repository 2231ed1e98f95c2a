import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '../../shared/domain/errors.ts';
import { parseRevision, parseTree } from '../../shared/domain/names.ts';
import type { HostName, Revision, Tree } from '../../shared/domain/names.ts';
import type { RunResult } from '../../shared/platform/exec.ts';
import type { GitOptions, GitProgram } from '../../shared/platform/git-program.ts';

/** The ref that fetches write. */
export const seenRef = 'refs/varve/seen';
/** The ref that fetches of a host's testing branch write. */
export function testingRef(host: HostName): string {
  return `refs/varve/testing/${host}`;
}
const keepPrefix = 'refs/varve/keep/';
const rememberedCommits = 64;

export interface CommitInfo {
  readonly tree: Tree;
  readonly parents: readonly Revision[];
  readonly author: string;
  readonly subject: string;
}

/**
 * A bare repository of ours, without a remote's URL in its configuration. A cache: it may be deleted at any time, and
 * is filled again by the next look. Every revision that was seen is pinned, so that a force push does not lose it.
 */
export interface Mirror {
  readonly git: GitProgram;
  readonly gitDir: string;
  /** A command in this repository, as `GitProgram` has it. */
  run(args: readonly string[], options?: GitOptions): Promise<RunResult>;
  ok(args: readonly string[], options?: GitOptions): Promise<string>;
  /** Creates the repository if it is not there, or not usable. */
  open(): Promise<void>;
  /** Whether the commit and all of its trees are here. */
  holds(revision: Revision): Promise<boolean>;
  /** @throws FleetError NOT_FOUND */
  commit(revision: Revision): Promise<CommitInfo>;
  /** `unknown`: the history at hand ends before the answer. */
  descends(revision: Revision, since: Revision): Promise<'yes' | 'no' | 'unknown'>;
  pin(revision: Revision): Promise<void>;
  pinned(revision: Revision): Promise<boolean>;
  /** Whether a pinned revision has this tree. */
  hasTree(tree: Tree): Promise<boolean>;
  /** Packs what piled up, if it did. */
  tidy(): Promise<void>;
  /** Runs one thing at a time: fetches of one repository disturb each other. */
  exclusive<Value>(act: () => Promise<Value>): Promise<Value>;
}

export function createMirror(deps: { readonly git: GitProgram; readonly gitDir: string }): Mirror {
  const { gitDir } = deps;
  const base = [`--git-dir=${gitDir}`];
  const run: Mirror['run'] = (args, options) => deps.git.run([...base, ...args], options);
  const ok: Mirror['ok'] = (args, options) => deps.git.ok([...base, ...args], options);
  const trees = new Set<Tree>();
  /** A commit's name is the hash of its content: what was read once need not be asked for again. */
  const commits = new Map<Revision, CommitInfo>();
  let tail: Promise<unknown> = Promise.resolve();

  async function create(): Promise<void> {
    await mkdir(gitDir, { recursive: true, mode: 0o700 });
    await deps.git.ok(['init', '--quiet', '--bare', '--initial-branch=varve', '--template=', gitDir]);
    await ok(['config', 'core.useReplaceRefs', 'false']);
    // A refspec without a URL: the other Git implementation does not fetch without one.
    await ok(['config', 'remote.varve.fetch', '+refs/heads/*:refs/remotes/varve/*']);
  }

  async function shallowBoundary(): Promise<ReadonlySet<string>> {
    try {
      return new Set(
        (await readFile(join(gitDir, 'shallow'), 'utf8')).split('\n').filter((line) => line !== ''),
      );
    } catch {
      return new Set();
    }
  }

  return {
    git: deps.git,
    gitDir,
    run,
    ok,
    async open() {
      const found = await deps.git.run([...base, 'config', '--get', 'remote.varve.fetch']);
      const whole = found.code === 0 && (await run(['for-each-ref', '--count=1'])).code === 0;
      if (whole) return;
      // Not there, or broken off while it was made, or damaged.
      await rm(gitDir, { recursive: true, force: true });
      await create();
    },

    async holds(revision) {
      const walked = await run(['rev-list', '--objects', '--quiet', '--no-walk', revision, '--']);
      return walked.code === 0;
    },

    async commit(revision) {
      const known = commits.get(revision);
      if (known !== undefined) return known;
      const shown = await run([
        'rev-list',
        '--max-count=1',
        '--no-commit-header',
        '--format=%T%n%P%n%an%n%s',
        revision,
        '--',
      ]);
      const [tree, parents, author, subject] = shown.stdout.toString('utf8').split('\n');
      if (shown.code !== 0 || tree === undefined || parents === undefined) {
        throw new FleetError({
          code: 'NOT_FOUND',
          disposition: 'transient',
          message: `revision ${revision} is not in the mirror`,
          hint: 'look at the repository again: `varve sync`',
        });
      }
      const info = {
        tree: parseTree(tree),
        parents: parents.split(' ').filter(Boolean).map(parseRevision),
        author: oneLine(author ?? ''),
        subject: oneLine(subject ?? ''),
      };
      // Where a shallow history ends, a commit looks as if it had no parents until more is fetched.
      if (info.parents.length === 0 && (await shallowBoundary()).has(revision)) return info;
      const [oldest] = commits.keys();
      if (commits.size >= rememberedCommits && oldest !== undefined) commits.delete(oldest);
      commits.set(revision, info);
      return info;
    },

    async descends(revision, since) {
      if (revision === since) return 'yes';
      // Most pushes are one commit.
      if (commits.get(revision)?.parents.includes(since) === true) return 'yes';
      const boundary = await shallowBoundary();
      const known = (await run(['cat-file', '-e', `${since}^{commit}`])).code === 0;
      if (!known) return boundary.size === 0 ? 'no' : 'unknown';
      const asked = await run(['merge-base', '--is-ancestor', since, revision]);
      if (asked.code === 0) return 'yes';
      if (boundary.size === 0) return 'no';
      // A path from `revision` down to `since` would stay outside of what `since` reaches. If that part of the
      // history is whole, there is no such path.
      const between = await ok(['rev-list', revision, `^${since}`, '--']);
      return between.split('\n').some((commit) => boundary.has(commit)) ? 'unknown' : 'no';
    },

    async pin(revision) {
      await ok(['update-ref', `${keepPrefix}${revision}`, revision]);
      trees.add((await this.commit(revision)).tree);
    },

    async pinned(revision) {
      return (await run(['rev-parse', '--quiet', '--verify', `${keepPrefix}${revision}`])).code === 0;
    },

    async hasTree(tree) {
      if (trees.has(tree)) return true;
      for (const line of (await ok(['for-each-ref', '--format=%(tree)', keepPrefix])).split('\n')) {
        if (line !== '') trees.add(parseTree(line));
      }
      return trees.has(tree);
    },

    async tidy() {
      const counts = await ok(['count-objects', '-v']);
      const count = (what: string): number =>
        Number(new RegExp(`^${what}: (\\d+)$`, 'm').exec(counts)?.[1] ?? '0');
      if (count('count') < 3_000 && count('packs') < 40) return;
      await ok(['pack-refs', '--all']);
      await ok(['repack', '-a', '-d', '-q'], { deadlineMs: 1_800_000 });
    },

    exclusive(act) {
      const turn = tail.then(act, act);
      tail = turn.then(
        () => undefined,
        () => undefined,
      );
      return turn;
    },
  };
}

/** Text from a commit, safe to show: one line, bounded. */
function oneLine(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 200);
}
