import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { BaseImage } from './base-image.ts';
import { run } from './command.ts';

export interface HostKeys {
  readonly current: string;
  readonly next: string;
}

export interface HostDiskOptions {
  /** The public key that root accepts before anything was deployed. */
  readonly authorizedKey: string;
  /** Gives services no PATH, as on NixOS, where process 1 knows no folder with programs. */
  readonly emptyServicePath: boolean;
  /** The size of a file system of its own for `/nix`, for hosts whose disk is to be full; undefined: no limit. */
  readonly storeMegabytes: number | undefined;
}

/** Makes a host's disk in a folder and mounts it as `root`: the base image, and above it what is only this host's. */
export async function makeHostDisk(
  folder: string,
  name: string,
  image: BaseImage,
  options: HostDiskOptions,
): Promise<HostKeys> {
  const upper = join(folder, 'upper');
  for (const part of ['upper', 'work', 'root']) await mkdir(join(folder, part), { recursive: true });
  await mkdir(join(upper, 'etc/ssh'), { recursive: true });
  await mkdir(join(upper, 'root/.ssh'), { recursive: true, mode: 0o700 });
  await chmod(join(upper, 'root'), 0o700);

  const current = await makeKey(join(folder, 'host-key'), name);
  const next = await makeKey(join(folder, 'next-host-key'), name);
  await install(join(folder, 'host-key'), join(upper, 'etc/ssh/ssh_host_ed25519_key'));
  await install(join(folder, 'next-host-key'), join(upper, 'etc/ssh/ssh_host_next_ed25519_key'));
  await writeFile(join(upper, 'root/.ssh/authorized_keys'), `${options.authorizedKey}\n`, { mode: 0o600 });
  await writeFile(join(upper, 'etc/hostname'), `${name}\n`);
  if (options.emptyServicePath) {
    const manager = join(upper, 'etc/systemd/system.conf.d');
    await mkdir(manager, { recursive: true });
    await writeFile(join(manager, 'path.conf'), '[Manager]\nDefaultEnvironment=PATH=/var/empty\n');
  }

  const layers = `lowerdir=${image.layers.join(':')},upperdir=${upper},workdir=${join(folder, 'work')}`;
  const root = join(folder, 'root');
  await run(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
  if (options.storeMegabytes !== undefined) {
    const store = join(folder, 'store');
    await run(['cp', '--archive', join(root, 'nix'), store]);
    await run([
      'mount',
      '-t',
      'tmpfs',
      '-o',
      `size=${options.storeMegabytes}m,mode=0755`,
      'tmpfs',
      join(root, 'nix'),
    ]);
    await run(['cp', '--archive', `${store}/.`, join(root, 'nix')]);
  }
  return { current, next };
}

/** Makes an SSH key pair at `path` and `path`.pub; gives the public half without its comment. */
export async function makeKey(path: string, comment: string): Promise<string> {
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path]);
  const [kind, key] = (await readFile(`${path}.pub`, 'utf8')).trim().split(' ');
  return `${kind} ${key}`;
}

async function install(key: string, target: string): Promise<void> {
  await copyFile(key, target);
  await chmod(target, 0o600);
  await copyFile(`${key}.pub`, `${target}.pub`);
}
