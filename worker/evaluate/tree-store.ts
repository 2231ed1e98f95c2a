import { access, mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Revision, Tree } from '../../shared/domain/names.ts';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import { syntheticCommit } from '../../shared/platform/synthetic-commit.ts';

/** A tree that lies here as a repository of its own, with nothing but its synthetic commit. */
export interface StoredTree {
  readonly folder: string;
  readonly ref: string;
  readonly commit: Revision;
}

/** Trees that this worker has fetched and verified. */
export interface TreeStore {
  /**
   * The tree's repository; fetched if it is not here. The least recently used ones go when there are too many.
   * @throws FleetError REVISION_MISMATCH when what was fetched is not the tree; what `fetchTree` throws
   */
  open(tree: Tree, signal: AbortSignal): Promise<StoredTree>;
}

/**
 * The tree's files must come out as they were committed: nothing that the tree says about its own files counts.
 * These attributes have precedence over every .gitattributes.
 */
const verbatim = '* -text -export-ignore -export-subst -filter -ident !eol !working-tree-encoding -merge\n';

const branch = 'tree';
const ref = `refs/heads/${branch}`;

export function createTreeStore(deps: {
  readonly git: GitProgram;
  /** A Git pack with the tree's synthetic commit and all that it reaches. */
  readonly fetchTree: (tree: Tree, signal: AbortSignal) => Promise<Uint8Array>;
  readonly folder: string;
  readonly keep: number;
}): TreeStore {
  const { git, folder } = deps;
  const inUse = new Set<Tree>();
  let lastUse = 0;

  /** Two uses never carry the same time, however close together: the order of use is all that pruning has. */
  const markUsed = async (repository: string): Promise<void> => {
    lastUse = Math.max(Date.now(), lastUse + 1);
    const at = new Date(lastUse);
    await utimes(repository, at, at);
  };

  const fetch = async (tree: Tree, commit: Revision, signal: AbortSignal): Promise<void> => {
    await mkdir(folder, { recursive: true });
    const staging = await mkdtemp(join(folder, '.new-'));
    const init = async (): Promise<void> => {
      await git.ok(['init', '--quiet', '--template=', `--initial-branch=${branch}`, staging], { signal });
      await mkdir(join(staging, '.git', 'info'), { recursive: true });
      await writeFile(join(staging, '.git', 'info', 'attributes'), verbatim);
    };
    try {
      const fetched = deps.fetchTree(tree, signal);
      await Promise.all([fetched, init()]);
      const pack = await fetched;
      await unpack(git, staging, tree, commit, pack, signal);
      await git.ok(['update-ref', ref, commit], { cwd: staging, signal });
      // Another process of this worker's folder may have been faster: its tree is as good.
      await rename(staging, join(folder, tree)).catch(async (thrown: unknown) => {
        if (!(await exists(join(folder, tree)))) throw thrown;
      });
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  };

  return {
    async open(tree, signal) {
      const commit = syntheticCommit(tree).sha;
      const repository = join(folder, tree);
      inUse.add(tree);
      try {
        if (!(await exists(repository))) await fetch(tree, commit, signal);
        await markUsed(repository);
        await prune(folder, deps.keep, inUse);
      } finally {
        inUse.delete(tree);
      }
      return { folder: repository, ref, commit };
    },
  };
}

async function unpack(
  git: GitProgram,
  cwd: string,
  tree: Tree,
  commit: Revision,
  pack: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const indexed = await git.run(
    ['index-pack', '--stdin', '--strict', '--check-self-contained-and-connected'],
    { cwd, input: pack, signal },
  );
  if (indexed.code !== 0) throw mismatch(tree, indexed.stderrTail);
  const found = await git.run(['rev-parse', '--verify', '--quiet', `${commit}^{tree}`], { cwd, signal });
  if (found.code !== 0 || found.stdout.toString('utf8').trim() !== tree) {
    throw mismatch(tree, 'the pack does not hold its synthetic commit');
  }
}

function mismatch(tree: Tree, why: string): FleetError {
  return new FleetError({
    code: 'REVISION_MISMATCH',
    disposition: 'transient',
    message: `what was fetched is not the tree ${tree}: ${why.trim().slice(-500)}`,
    hint: 'see what lies between this worker and the controller: its answer was changed or cut off',
    details: { tree },
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function prune(folder: string, keep: number, inUse: ReadonlySet<string>): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= keep) return;
  const trees = await Promise.all(
    names
      .filter((name) => /^[0-9a-f]{40}$/.test(name))
      .map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
  );
  trees.sort((a, b) => b.at - a.at);
  for (const { name } of trees.slice(keep)) {
    if (!inUse.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}
