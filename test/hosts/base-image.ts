import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { cachedFolder, hashOf } from './cache.ts';
import { execute, run } from './command.ts';
import { debianLayer } from './debian-layer.ts';
import { busyboxPath, copyFleet, definedEnvironment, exampleFleet, nixConfig } from './fleet-files.ts';

/** What test hosts are mounted from: folders for overlayfs's `lowerdir`, the uppermost first. */
export interface BaseImage {
  readonly layers: readonly string[];
  /** The toplevel that a host runs before anything was ever deployed to it. */
  readonly genesis: string;
}

/**
 * The base image, from the cache if it is there: a distribution, and on top of it the first toplevel (genesis), registered
 * in the store, as profile generation 1, rooted, and as what boots. Throws FleetError if it can't be made.
 */
export async function ensureBaseImage(log: (line: string) => void = () => {}): Promise<BaseImage> {
  const debian = await debianLayer(log);
  const name = `base-${hashOf(debian, await libraryHash(), await readFile(busyboxPath))}`;
  const layer = await cachedFolder(name, (folder) => buildGenesis(folder, debian, log), log);
  const genesis = (await readFile(join(layer, 'upper/boot/default'), 'utf8')).trim();
  return { layers: [join(layer, 'upper'), debian], genesis };
}

/** Changes when the library changes, and not with the hosts and roles that use it. */
async function libraryHash(): Promise<string> {
  const parts: string[] = [await readFile(join(exampleFleet, 'flake.nix'), 'utf8')];
  const folder = join(exampleFleet, 'lib');
  for (const entry of (await readdir(folder, { recursive: true, withFileTypes: true })).toSorted((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    if (entry.isFile()) parts.push(entry.name, await readFile(join(entry.parentPath, entry.name), 'utf8'));
  }
  return hashOf(...parts);
}

async function buildGenesis(folder: string, debian: string, log: (line: string) => void): Promise<void> {
  log('adding the first toplevel to the base image');
  const { toplevel, store } = await realiseGenesis();
  const upper = join(folder, 'upper');
  const work = join(folder, 'work');
  const root = join(folder, 'root');
  for (const path of [upper, work, root]) await mkdir(path);
  const layers = `lowerdir=${debian},upperdir=${upper},workdir=${work}`;
  await run(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
  try {
    const inside = (...argv: string[]): Promise<string> =>
      run(['unshare', '--mount', '--pid', '--fork', '--kill-child', 'chroot', root, ...argv], {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', NIX_CONFIG: nixConfig },
        input: store,
      });
    await inside('nix-store', '--import');
    await inside('nix-env', '--profile', '/nix/var/nix/profiles/system', '--set', toplevel);
    const roots = join(root, 'nix/var/nix/gcroots');
    await symlink('/run/current-system', join(roots, 'current-system'));
    await symlink('/run/booted-system', join(roots, 'booted-system'));
    await writeFile(join(root, 'boot/default'), `${toplevel}\n`);
    await writeFile(join(root, 'etc/NIXOS'), '');
  } finally {
    await run(['umount', root]);
  }
  await rm(work, { recursive: true, force: true });
  await rm(root, { recursive: true, force: true });
}

/** Builds genesis on this machine: its path and its closure as a stream for `nix-store --import`. */
async function realiseGenesis(): Promise<{ toplevel: string; store: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-genesis-'));
  try {
    await copyFleet(join(folder, 'fleet'));
    const env = { ...definedEnvironment(), NIX_CONFIG: nixConfig };
    const flake = `path:${join(folder, 'fleet')}#genesis.config.system.build.toplevel`;
    const link = join(folder, 'genesis');
    // The link roots it until it was exported.
    await run(['nix', 'build', '--out-link', link, flake], { env, timeout: 5 * 60_000 });
    const toplevel = (await run(['readlink', '-e', link])).trim();
    const closure = (await run(['nix-store', '--query', '--requisites', toplevel], { env }))
      .trim()
      .split('\n');
    const file = join(folder, 'closure');
    const script = 'file=$1; shift; exec nix-store --export "$@" > "$file"';
    const exported = await execute(['sh', '-c', script, 'sh', file, ...closure], { env });
    if (exported.code !== 0) throw new Error(exported.stderr);
    return { toplevel, store: await readFile(file) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
