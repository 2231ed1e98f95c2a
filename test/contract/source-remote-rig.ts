import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSource, type SourceSettings } from '../../controller/source/create-source.ts';
import type { OpenSource } from '../../controller/source/mirror-source.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { createConfigRepository } from '../support/config-repository.ts';
import { createGitHttpServer } from '../support/git-http-server.ts';
import type { Committed, CommittedFiles, SourceRig } from './source.contract.ts';

/** The ways in which a source reaches its repository; all of them keep the same contract. */
export interface SourceKind {
  readonly name: string;
  readonly adapter: SourceSettings['adapter'];
  readonly transport: 'path' | 'http';
}

const run = createRun();
/** Every argument of every program that a source started. */
export const argumentsSeen: string[] = [];
export const git = createGitProgram({
  run: (argv, options) => {
    argumentsSeen.push(...argv);
    return run(argv, options);
  },
});
export const flake = { 'flake.nix': '{ outputs = _: { }; }\n', 'varve.yaml': 'hosts: { web1: {} }\n' };

/** A repository with one branch, reached in one of these ways. */
export async function remoteRig(kind: SourceKind): Promise<SourceRig> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-source-'));
  const repository = await createConfigRepository(join(folder, 'remotes', 'fleet.git'));
  const server = await createGitHttpServer(join(folder, 'remotes'));
  const url = kind.transport === 'http' ? server.url('fleet.git') : repository.folder;
  const opened: OpenSource[] = [];
  async function commit(
    { readme, hosts }: CommittedFiles,
    where: { readonly branch?: string; readonly parents?: readonly string[] },
  ): Promise<Committed> {
    const manifest =
      hosts === 'invalid'
        ? 'no-such-key: 1\n'
        : `hosts: { ${hosts.map((host) => `${host}: {}`).join(', ')} }\n`;
    const subject = `add ${readme}`;
    const files = { ...flake, readme, 'varve.yaml': manifest };
    const revision = await repository.commit({ ...where, files, subject });
    return { revision, tree: await repository.tree(revision), author: 'Ann Éxample', subject };
  }
  return {
    async open(controller) {
      const { source } = createSource(
        { url, ref: 'main', adapter: kind.adapter, dataFolder: join(folder, controller) },
        { git, logger: silentLogger, credential: async () => undefined },
      );
      opened.push(source);
      return source;
    },
    commit: (files) => commit(files, {}),
    async test(host, files, onto) {
      return await commit(files, { branch: `testing/${host}`, parents: [onto] });
    },
    async pointTest(host, revision) {
      const branch = `testing/${host}`;
      await (revision === undefined ? repository.remove(branch) : repository.point(branch, revision));
    },
    point: (revision) => repository.point('main', revision),
    down: () => rename(repository.folder, `${repository.folder}.away`),
    up: () => rename(`${repository.folder}.away`, repository.folder),
    async close() {
      for (const each of opened) await each.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
