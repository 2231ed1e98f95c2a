import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cachedFolder, hashOf } from './cache.ts';
import { execute, run } from './command.ts';

const suite = 'bookworm';
const packages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'openssh-server',
  'iproute2',
  'ca-certificates',
  'procps',
  'zstd',
  'sudo',
] as const;

// What a test host has no use for: it would run at bad moments, or for nothing.
const masked = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'ssh.service',
  'ssh.socket',
  'console-getty.service',
  'getty.target',
  'systemd-pstore.service',
  'systemd-journal-flush.service',
] as const;

// The firmware and the boot loader of a test host: process 1 until the toplevel's own second stage takes over. What it is
// to start once comes before the default; whoever wants it to be a simpler boot loader removes `/boot/features`.
const bootScript = `#!/bin/sh
if [ -e /boot/features ] && next=$(cat /boot/once 2>/dev/null); then rm /boot/once; else next=$(cat /boot/default) || exit 1; fi
exec "$next/init" "$@"
`;

const recipe = JSON.stringify({ version: 6, suite, packages, masked, bootScript });

/** The distribution under every test host, made once per machine (about a minute): a folder to mount as the lowest layer. */
export function debianLayer(log: (line: string) => void): Promise<string> {
  return cachedFolder(`debian-${hashOf(recipe)}`, (folder) => build(folder, log), log);
}

async function build(folder: string, log: (line: string) => void): Promise<void> {
  const mirror = await aptMirror();
  const environment = await aptEnvironment();
  const options = {
    env: environment,
    timeout: 15 * 60_000,
    onLine: (line: string) => {
      if (/^I: (Retrieving Packages|Installing core|Configuring the base|Base system)/.test(line))
        log(line.slice(3));
    },
  };
  log(
    `making the base image of the test hosts (once, about a minute) from ${mirror ?? 'the default mirror'}`,
  );
  // Mounts that debootstrap makes stay in a namespace that ends with it.
  const privately = ['unshare', '--mount', '--propagation', 'private', '--'];
  await run(
    [
      ...privately,
      'debootstrap',
      '--variant=minbase',
      `--include=${packages.join(',')}`,
      suite,
      folder,
      ...(mirror ? [mirror] : []),
    ],
    options,
  );
  log('installing nix in the base image');
  // A step of its own: debootstrap orders nix-bin's dependencies wrongly.
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', 'nix-bin'];
  await run([...privately, 'chroot', folder, ...install], options);
  await configure(folder);
}

async function configure(folder: string): Promise<void> {
  const inside = (path: string): string => join(folder, path);
  await run(['chroot', folder, 'apt-get', 'clean']);
  await run(['chroot', folder, 'groupadd', '--system', 'nixbld']);
  for (const path of [
    'var/lib/apt/lists',
    'etc/hostname',
    'etc/resolv.conf',
    'etc/motd',
    'etc/ssh/sshd_config',
    'var/lib/dbus/machine-id',
  ]) {
    await rm(inside(path), { recursive: true, force: true });
  }
  for (const kind of ['ecdsa', 'ed25519', 'rsa']) {
    await rm(inside(`etc/ssh/ssh_host_${kind}_key`), { force: true });
    await rm(inside(`etc/ssh/ssh_host_${kind}_key.pub`), { force: true });
  }
  const units = inside('etc/systemd/system');
  await rm(units, { recursive: true, force: true });
  await mkdir(units);
  for (const unit of masked) await symlink('/dev/null', join(units, unit));
  await writeFile(inside('etc/machine-id'), '');
  await writeFile(inside('sbin/varve-boot'), bootScript);
  await chmod(inside('sbin/varve-boot'), 0o755);
  await mkdir(inside('boot'), { recursive: true });
  await writeFile(inside('boot/features'), 'one-shot\n');
}

/** The mirror of this machine's own apt configuration, so that a machine behind a mirror works. */
async function aptMirror(): Promise<string | undefined> {
  const format = ['--format', '$(RELEASE) $(COMPONENT) $(REPO_URI)', 'Created-By: Packages'];
  const { stdout } = await execute(['apt-get', 'indextargets', ...format]).catch(() => ({ stdout: '' }));
  for (const line of stdout.split('\n')) {
    const [release, component, uri] = line.split(' ');
    if (release === suite && component === 'main' && uri?.startsWith('http')) return uri;
  }
  return undefined;
}

async function aptEnvironment(): Promise<Record<string, string>> {
  const environment: Record<string, string> = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  const ask = [
    'apt-config',
    'shell',
    'http_proxy',
    'Acquire::http::Proxy',
    'https_proxy',
    'Acquire::https::Proxy',
  ];
  const { stdout } = await execute(ask).catch(() => ({ stdout: '' }));
  for (const [, name, value] of stdout.matchAll(/^(\w+)='(.*)'$/gm)) {
    if (name !== undefined && value) environment[name] = value;
  }
  for (const name of ['http_proxy', 'https_proxy', 'no_proxy']) {
    const value = process.env[name];
    if (value) environment[name] = value;
  }
  return environment;
}
