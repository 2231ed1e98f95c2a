import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { run } from './command.ts';
import { copyFleet } from './fleet-files.ts';

/** A host as `varve.yaml` describes it. */
export interface FleetHost {
  readonly name: string;
  readonly address: string;
  readonly hostKey: string;
  readonly port?: number;
  readonly user?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ConfigRepoOptions {
  /** The working copy is `work` in it, the remote `remote.git`. */
  readonly dir: string;
  readonly hosts: readonly FleetHost[];
  /** Public keys that root accepts on every host, as one line of `authorized_keys` each. */
  readonly authorizedKeys: readonly string[];
  readonly branch?: string;
  /** The content of `varve.yaml`. Default: the hosts, and nothing else. */
  readonly manifest?: string;
  /** What the two folders are called. Default: `work` and `remote.git`. */
  readonly names?: { readonly workDir: string; readonly remote: string };
}

/** Changes of a commit: path → content; null removes the file. */
export type Edits = Readonly<Record<string, string | null>>;

/** A config repository as people use it: a working copy, and the remote that Varve watches. */
export interface ConfigRepo {
  readonly workDir: string;
  /** The bare repository; also usable as a URL. */
  readonly remote: string;
  readonly branch: string;
  /** Commits to the working copy, without pushing. Gives the revision. */
  commit(message: string, edits: Edits): Promise<string>;
  /** `commit` and `push`. */
  commitAndPush(message: string, edits: Edits): Promise<string>;
  /** Makes the commit that takes another one back, without pushing. */
  revert(revision: string): Promise<string>;
  push(): Promise<void>;
  /** Moves the branch, here and in the remote, to any revision. */
  forcePush(revision: string): Promise<void>;
  head(): Promise<string>;
  read(path: string): Promise<string>;
  /** The content of `varve.yaml` for these hosts. */
  manifest(hosts: readonly FleetHost[]): string;
  git(...args: readonly string[]): Promise<string>;
}

/** Makes a config repository from the example fleet, and pushes its first commit. */
export async function makeConfigRepo(options: ConfigRepoOptions): Promise<ConfigRepo> {
  const workDir = join(options.dir, options.names?.workDir ?? 'work');
  const remote = join(options.dir, options.names?.remote ?? 'remote.git');
  const branch = options.branch ?? 'main';
  await mkdir(options.dir, { recursive: true });
  await copyFleet(workDir);
  await run(['git', 'init', '--quiet', '--bare', `--initial-branch=${branch}`, remote], {
    env: gitEnvironment,
  });
  const git = (...args: readonly string[]): Promise<string> =>
    run(['git', ...args], { cwd: workDir, env: gitEnvironment });
  await git('init', '--quiet', `--initial-branch=${branch}`);
  await git('remote', 'add', 'origin', remote);

  const repo: ConfigRepo = {
    workDir,
    remote,
    branch,
    git,
    async commit(message, edits) {
      for (const [path, content] of Object.entries(edits)) {
        const file = join(workDir, path);
        if (content === null) await rm(file, { recursive: true });
        else {
          await mkdir(dirname(file), { recursive: true });
          await writeFile(file, content);
        }
      }
      await git('add', '--all');
      await git('commit', '--quiet', '--allow-empty', '--message', message);
      return repo.head();
    },
    async commitAndPush(message, edits) {
      const revision = await repo.commit(message, edits);
      await repo.push();
      return revision;
    },
    async revert(revision) {
      await git('revert', '--no-edit', revision);
      return repo.head();
    },
    async push() {
      await git('push', '--quiet', 'origin', branch);
    },
    async forcePush(revision) {
      await git('reset', '--quiet', '--hard', revision);
      await git('push', '--quiet', '--force', 'origin', branch);
    },
    head: async () => (await git('rev-parse', 'HEAD')).trim(),
    read: (path) => readFile(join(workDir, path), 'utf8'),
    manifest,
  };
  await repo.commit('The fleet as it begins', await firstFiles(options, workDir));
  await repo.push();
  return repo;
}

async function firstFiles(options: ConfigRepoOptions, workDir: string): Promise<Edits> {
  const edits: Record<string, string | null> = {
    'varve.yaml': options.manifest ?? manifest(options.hosts),
  };
  options.authorizedKeys.forEach((key, index) => {
    edits[`keys/${index === 0 ? 'deploy' : `deploy-${index}`}.pub`] = `${key}\n`;
  });
  // The example has three hosts: those that are not asked for go, those that are new serve the web.
  const wanted = new Set(options.hosts.map((host) => host.name));
  for (const name of ['web1', 'web2', 'batch1']) if (!wanted.has(name)) edits[`hosts/${name}.nix`] = null;
  const template = await readFile(join(workDir, 'hosts/web1.nix'), 'utf8');
  for (const name of wanted) {
    if (!['web1', 'web2', 'batch1'].includes(name)) {
      edits[`hosts/${name}.nix`] = template.replaceAll('web1', name);
    }
  }
  return edits;
}

function manifest(hosts: readonly FleetHost[]): string {
  const lines = hosts.map((host) => {
    const fields = [
      `address: ${host.address}`,
      `port: ${host.port ?? 22}`,
      `user: ${host.user ?? 'root'}`,
      `hostKeys: [${JSON.stringify(host.hostKey)}]`,
      `labels: ${JSON.stringify(host.labels ?? { role: host.name.replace(/\d+$/, '') })}`,
    ];
    return `  ${host.name}: { ${fields.join(', ')} }`;
  });
  return ['version: 1', 'hosts:', ...lines, ''].join('\n');
}

// Nobody's own git configuration has a say here.
const gitEnvironment = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/var/empty',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
};
