import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { parseTree, type Tree } from '../../shared/domain/names.ts';
import { createRun, type Run } from '../../shared/platform/exec.ts';
import { createGitProgram, type GitProgram } from '../../shared/platform/git-program.ts';
import type { Progress, StepContext } from '../../shared/platform/ports/steps.ts';
import { syntheticCommit } from '../../shared/platform/synthetic-commit.ts';
import { createLocalDaemon } from '../../worker/nix/local-daemon.ts';
import { createNix, type Nix } from '../../worker/nix/nix.ts';
import { createRoots, type Roots } from '../../worker/nix/roots.ts';
import { createNixStore, type NixStore } from '../../worker/nix/store.ts';

/** Files of a commit: path → contents; `undefined` removes one. */
export type Files = Readonly<Record<string, string | Uint8Array | undefined>>;

/** A private Nix store, a config repository and a folder for data, all in one temporary folder. */
export interface Workshop {
  readonly folder: string;
  readonly git: GitProgram;
  readonly repository: string;
  /** A folder that builds can see and write to. */
  readonly outside: string;
  /** Where the store's files really are: `/nix/store/x` is `<root>/nix/store/x`. */
  readonly storeRoot: string;
  readonly nixConfig: Readonly<Record<string, string>>;
  /** What was started, in order. */
  readonly started: (readonly string[])[];
  readonly run: Run;
  readonly nix: Nix;
  readonly store: NixStore;
  readonly roots: Roots;
  readonly rootsFolder: string;
  /** Commits a change; the tree of the new commit. */
  commit(files: Files, subject?: string): Promise<Tree>;
  /** As `commit`, but nothing else stays, except the builder. */
  commitOnly(files: Files, subject?: string): Promise<Tree>;
  /** The pack of a tree's synthetic commit. */
  pack(tree: Tree): Promise<Uint8Array>;
  close(): Promise<void>;
}

export async function createWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-workshop-'));
  const started: (readonly string[])[] = [];
  const plain = createRun();
  const run: Run = (argv, options) => {
    started.push(argv);
    return plain(argv, options);
  };
  const git = createGitProgram({ run: plain });
  const repository = join(folder, 'repository');
  const storeRoot = join(folder, 'store');
  const rootsFolder = join(storeRoot, 'nix/var/nix/gcroots/varve-worker');
  const outside = join(folder, 'outside');
  const nixConfig = {
    store: `local?root=${storeRoot}`,
    sandbox: 'false',
    'build-users-group': '',
    substituters: '',
    // A store that is not at its usual place is always built in with namespaces: this folder is let in.
    'sandbox-paths': outside,
  };
  const nix = createNix({
    run,
    settings: { config: nixConfig, home: join(folder, 'home'), environment: {} },
  });
  const daemon = createLocalDaemon({ nix });
  await mkdir(join(folder, 'home'));
  await mkdir(outside);
  await git.ok(['init', '--quiet', '--initial-branch=main', repository]);
  await mkdir(join(repository, '.git', 'info'), { recursive: true });
  // What a test puts into the attributes is for the worker to see, not for this repository.
  await writeFile(
    join(repository, '.git', 'info', 'attributes'),
    '* -text -filter -ident !eol !working-tree-encoding\n',
  );

  const commit: Workshop['commit'] = async (files, subject = 'a change') => {
    for (const [path, contents] of Object.entries(files)) {
      const file = join(repository, path);
      await mkdir(dirname(file), { recursive: true });
      if (contents === undefined) await rm(file);
      else await writeFile(file, contents);
    }
    await git.ok(['add', '--all', '--force'], { cwd: repository });
    const who = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];
    await git.ok([...who, 'commit', '--quiet', '--allow-empty', '-m', subject], {
      cwd: repository,
    });
    return parseTree(await git.ok(['rev-parse', 'HEAD^{tree}'], { cwd: repository }));
  };

  return {
    folder,
    git,
    repository,
    outside,
    storeRoot,
    nixConfig,
    started,
    run,
    nix,
    store: createNixStore({ nix, daemon }),
    roots: createRoots({ folder: rootsFolder }),
    rootsFolder,
    commit,
    async commitOnly(files, subject) {
      for (const name of await readdir(repository)) {
        if (name !== '.git' && name !== 'bb') await rm(join(repository, name), { recursive: true });
      }
      return commit(files, subject);
    },
    async pack(tree) {
      const { sha, bytes } = syntheticCommit(tree);
      await git.ok(['hash-object', '-t', 'commit', '-w', '--stdin'], {
        cwd: repository,
        input: bytes,
      });
      const packed = await git.run(['pack-objects', '--quiet', '--stdout', '--revs'], {
        cwd: repository,
        input: `${sha}\n`,
      });
      return packed.stdout;
    },
    async close() {
      await daemon.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Puts the builder of the tiny flakes into the repository: Debian's static busybox. */
export async function addBusybox(workshop: Workshop, folder = 'bb'): Promise<void> {
  const bin = join(workshop.repository, folder, 'bin');
  await mkdir(bin, { recursive: true });
  await copyFile('/usr/bin/busybox', join(bin, 'busybox'));
}

/** A context that keeps what it is told. */
export function recordingContext(signal: AbortSignal = new AbortController().signal): StepContext & {
  readonly lines: string[];
  readonly steps: Progress[];
} {
  const lines: string[] = [];
  const steps: Progress[] = [];
  return {
    signal,
    lines,
    steps,
    log: (line) => void lines.push(line),
    progress: (progress) => void steps.push(progress),
  };
}
