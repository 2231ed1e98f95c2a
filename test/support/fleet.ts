import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeConfigRepo, type ConfigRepo } from '../hosts/config-repo.ts';
import { createLab, type Lab } from '../hosts/lab.ts';
import type { TestHost } from '../hosts/test-host.ts';
import { workerRoots } from '../hosts/worker-roots.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { startVarve, type Varve, type VarveOptions } from './varve.ts';

/** Real hosts, a config repository made from the example fleet, and a Varve that follows it. */
export interface Fleet {
  readonly lab: Lab;
  readonly repo: ConfigRepo;
  readonly varve: Varve;
  readonly dir: string;
  /** The revision that the repository began with. */
  readonly first: string;
  host(name: string): TestHost;
  /** Edits one file by replacing a text in it, pushes, and tells Varve to look. */
  change(path: string, from: string, to: string): Promise<string>;
  /** Commits, pushes, tells Varve to look. */
  commit(message: string, edits: Readonly<Record<string, string | null>>): Promise<string>;
  /** Reverts, pushes, tells Varve to look. */
  revert(revision: string): Promise<string>;
  /** Every Nix program that the worker has started since the last call, one line each. */
  nixCalls(): Promise<readonly string[]>;
  /** What a host says that it runs and would boot. */
  systems(name: string): Promise<Systems>;
  /** Makes worker and host lose a toplevel that nothing runs, as garbage collections would. */
  forget(name: string, toplevel: string): Promise<void>;
  close(): Promise<void>;
}

export interface Systems {
  readonly current: string;
  readonly profile: string;
  readonly bootDefault: string;
  /** NixOS's own numbers, ascending, with their store paths. */
  readonly profileGenerations: readonly { readonly number: number; readonly path: string }[];
}

export interface FleetOptions extends Partial<Omit<VarveOptions, 'dir' | 'repository' | 'identity'>> {
  readonly hosts: readonly string[];
  /** Lines of `varve.yaml` besides the hosts. */
  readonly manifest?: string;
  /** Hosts are reached by their names, with their keys in the known hosts of the service, as without `varve.yaml`. */
  readonly byName?: true;
  /** Changes to the example before the first commit that Varve sees. */
  readonly edits?: Readonly<Record<string, string | null>>;
}

/** Seconds where a real fleet has minutes. */
export const quickTimeouts =
  'defaults: { timeouts: { activation: 30s, confirm: 8s, settle: 1ms, build: 2m, push: 1m } }\n';

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const dir = await mkdtemp(join(tmpdir(), 'varve-e2e-'));
  const lab = await createLab({ hosts: options.hosts });
  let varve: Varve | undefined;
  async function close(): Promise<void> {
    await varve?.close();
    await lab.close();
    if (varve !== undefined) await rm(workerRoots(varve.dataDir), { recursive: true, force: true });
    if (process.env['VARVE_KEEP'] === undefined) await rm(dir, { recursive: true, force: true });
  }
  try {
    const repo = await makeConfigRepo({
      dir: join(dir, 'repo'),
      hosts: [...lab.hosts.values()].map(({ name, address, hostKey }) => ({ name, address, hostKey })),
      authorizedKeys: [lab.publicKey],
    });
    const manifest = `${await repo.read('varve.yaml')}${options.manifest ?? `adopt: auto\n${quickTimeouts}`}`;
    const first = await repo.commitAndPush('How this fleet is deployed', {
      'varve.yaml': manifest,
      ...options.edits,
    });
    const trace = await tracedNix(dir);
    const running = await startVarve({
      ...options,
      ...(options.byName === undefined ? {} : await namesOf(lab, dir)),
      dir,
      repository: repo.remote,
      identity: lab.privateKeyPath,
      workerPath: trace.folder,
    });
    varve = running;
    const fleet: Fleet = {
      lab,
      repo,
      varve: running,
      dir,
      first,
      host(name) {
        const found = lab.hosts.get(name);
        if (found === undefined) throw new Error(`no host ${name}`);
        return found;
      },
      async change(path, from, to) {
        const text = await repo.read(path);
        if (!text.includes(from)) throw new Error(`${path} does not say ${from}`);
        return fleet.commit(`${path}: ${to.slice(0, 40)}`, { [path]: text.replaceAll(from, to) });
      },
      async commit(message, edits) {
        const revision = await repo.commitAndPush(message, edits);
        if (running.controller.running()) await running.sync();
        return revision;
      },
      async revert(revision) {
        const made = await repo.revert(revision);
        await repo.push();
        if (running.controller.running()) await running.sync();
        return made;
      },
      nixCalls: trace.take,
      systems: (name) => systemsOf(fleet.host(name)),
      async forget(name, toplevel) {
        const unroot =
          'for l in /nix/var/nix/profiles/system-*-link /nix/var/nix/gcroots/varve*/*/* /nix/var/nix/gcroots/varve*/*/*/*; do ' +
          '[ "$(readlink "$l")" = "$1" ] && rm "$l"; done; nix-store --delete --ignore-liveness "$1"';
        const run = createRun();
        const here = await run(['sh', '-c', unroot, 'sh', toplevel], { deadlineMs: 60_000 });
        if (here.code !== 0) throw new Error(`the worker keeps ${toplevel}: ${here.stderrTail}`);
        const there = await fleet.host(name).exec(['sh', '-c', unroot, 'sh', toplevel]);
        if (there.code !== 0) throw new Error(`${name} keeps ${toplevel}: ${there.stderr}`);
      },
      close,
    };
    return fleet;
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function namesOf(lab: Lab, dir: string): Promise<Pick<VarveOptions, 'workerHostsFile' | 'knownHosts'>> {
  const hosts = [...lab.hosts.values()];
  const workerHostsFile = join(dir, 'hosts');
  const knownHosts = join(dir, 'known_hosts');
  const lines = hosts.map(({ name, address }) => `${address} ${name}\n`);
  await writeFile(workerHostsFile, ['127.0.0.1 localhost\n', ...lines].join(''));
  await writeFile(knownHosts, hosts.map(({ name, hostKey }) => `${name} ${hostKey}\n`).join(''));
  return { workerHostsFile, knownHosts };
}

/** Programs by the names of Nix's that write down that they were called, and then become what they stand for. */
async function tracedNix(dir: string): Promise<{ folder: string; take: () => Promise<readonly string[]> }> {
  const folder = join(dir, 'traced');
  const file = join(dir, 'nix-calls');
  await mkdir(folder, { recursive: true });
  await writeFile(file, '');
  for (const name of [
    'nix',
    'nix-store',
    'nix-instantiate',
    'nix-build',
    'nix-env',
    'nix-copy-closure',
    'nix-daemon',
  ]) {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\necho "${name} $*" >> ${file}\nexec /usr/bin/${name} "$@"\n`);
    await chmod(path, 0o755);
  }
  return {
    folder,
    async take() {
      const text = await readFile(file, 'utf8');
      await writeFile(file, '');
      return text.split('\n').filter((line) => line !== '');
    },
  };
}

async function systemsOf(host: TestHost): Promise<Systems> {
  const { stdout } = await host.exec([
    'sh',
    '-c',
    'readlink -f /run/current-system; readlink -f /nix/var/nix/profiles/system; cat /boot/default; echo; ' +
      'cd /nix/var/nix/profiles && for l in system-*-link; do echo "$l $(readlink "$l")"; done',
  ]);
  const [current = '', profile = '', bootDefault = '', ...links] = stdout
    .split('\n')
    .filter((line) => line !== '');
  const profileGenerations = links
    .map((line) => {
      const [name = '', path = ''] = line.split(' ');
      return { number: Number(name.split('-')[1]), path };
    })
    .toSorted((a, b) => a.number - b.number);
  return { current, profile, bootDefault: bootDefault.trim(), profileGenerations };
}
