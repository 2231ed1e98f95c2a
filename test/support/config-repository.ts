import { mkdir } from 'node:fs/promises';
import { parseRevision, parseTree } from '../../shared/domain/names.ts';
import type { Revision, Tree } from '../../shared/domain/names.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';

/** One file of a commit: its text, or anything with a mode of its own. */
export type WrittenFile =
  | string
  | { readonly mode: '100755' | '120000'; readonly text: string }
  | { readonly mode: '160000'; readonly commit: string }
  | { readonly bytes: Buffer };

export interface WrittenCommit {
  readonly branch?: string;
  /** Parents; the branch's head unless given. `[]`: a commit without history. */
  readonly parents?: readonly string[];
  /** Paths that change; `undefined` removes one. */
  readonly files: Readonly<Record<string, WrittenFile | undefined>>;
  readonly subject?: string;
}

/** A bare repository that tests commit to, without a working copy. */
export interface ConfigRepository {
  readonly folder: string;
  git(...args: string[]): Promise<string>;
  commit(commit: WrittenCommit): Promise<Revision>;
  /** One commit after the other on `main`, in a new history. */
  history(commits: readonly WrittenCommit['files'][]): Promise<readonly Revision[]>;
  /** Points a branch anywhere: a force push. */
  point(branch: string, revision: string): Promise<void>;
  remove(branch: string): Promise<void>;
  head(branch?: string): Promise<Revision>;
  tree(revision: string): Promise<Tree>;
  file(revision: string, path: string): Promise<string>;
}

const git = createGitProgram({ run: createRun() });

export async function createConfigRepository(folder: string): Promise<ConfigRepository> {
  await mkdir(folder, { recursive: true });
  await git.ok(['init', '--quiet', '--bare', '--initial-branch=main', folder]);
  const ok = (...args: string[]): Promise<string> => git.ok([`--git-dir=${folder}`, ...args]);
  let second = 1_700_000_000;

  async function head(branch = 'main'): Promise<Revision> {
    return parseRevision(await ok('rev-parse', '--verify', `refs/heads/${branch}`));
  }

  /** A commit as `git fast-import` reads it; without parents it follows the branch's last one in the same stream. */
  function written(
    ref: string,
    parents: readonly string[],
    files: WrittenCommit['files'],
    subject: string,
  ): readonly (string | Buffer)[] {
    second += 60;
    const chunks: (string | Buffer)[] = [`commit ${ref}\n`];
    const data = (content: string | Buffer): void => {
      const bytes = Buffer.from(content);
      chunks.push(`data ${bytes.length}\n`, bytes, '\n');
    };
    chunks.push(`author Ann Éxample <ann@example.org> ${second} +0000\n`);
    chunks.push(`committer Ann Éxample <ann@example.org> ${second} +0000\n`);
    data(`${subject}\n`);
    for (const [n, parent] of parents.entries()) chunks.push(`${n === 0 ? 'from' : 'merge'} ${parent}\n`);
    for (const [path, file] of Object.entries(files)) {
      const quoted = `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
      if (file === undefined) {
        chunks.push(`D ${quoted}\n`);
      } else if (typeof file !== 'string' && 'commit' in file) {
        chunks.push(`M 160000 ${file.commit} ${quoted}\n`);
      } else {
        const mode = typeof file !== 'string' && 'mode' in file ? file.mode : '100644';
        chunks.push(`M ${mode} inline ${quoted}\n`);
        data(typeof file === 'string' ? file : 'bytes' in file ? file.bytes : file.text);
      }
    }
    return chunks;
  }

  async function importStream(chunks: readonly (string | Buffer)[]): Promise<void> {
    await git.ok([`--git-dir=${folder}`, 'fast-import', '--quiet', '--force', '--done'], {
      input: Buffer.concat([...chunks, 'done\n'].map((chunk) => Buffer.from(chunk))),
    });
  }

  return {
    folder,
    git: ok,
    head,
    async commit({ branch = 'main', parents, files, subject = 'a change' }) {
      const ref = `refs/heads/${branch}`;
      const existing = await git.run([`--git-dir=${folder}`, 'rev-parse', '--quiet', '--verify', ref]);
      const from = parents ?? (existing.code === 0 ? [existing.stdout.toString().trim()] : []);
      await importStream([
        ...(from.length === 0 ? [`reset ${ref}\n`] : []),
        ...written(ref, from, files, subject),
      ]);
      return head(branch);
    },
    async history(commits) {
      const ref = 'refs/heads/main';
      const stream = commits.flatMap((files) => written(ref, [], files, 'a change'));
      await importStream([`reset ${ref}\n`, ...stream]);
      return (await ok('rev-list', '--reverse', ref)).split('\n').map(parseRevision);
    },
    async point(branch, revision) {
      await ok('update-ref', `refs/heads/${branch}`, revision);
    },
    async remove(branch) {
      await ok('update-ref', '-d', `refs/heads/${branch}`);
    },
    async tree(revision) {
      return parseTree(await ok('rev-parse', `${revision}^{tree}`));
    },
    async file(revision, path) {
      return await ok('cat-file', 'blob', `${revision}:${path}`);
    },
  };
}
