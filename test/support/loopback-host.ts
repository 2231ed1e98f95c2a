import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Connection } from '../../shared/domain/fleet.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { eventually } from './eventually.ts';
import { answers, freePort } from './ports.ts';

/** A real sshd on the loopback interface, in namespaces of its own with a Nix store of its own. Nothing else. */
export interface LoopbackHost {
  readonly connection: Connection;
  /** A private key that may log in. */
  readonly identityFile: string;
  /** Its `/nix`, as seen from outside; not for a host with a small disk. */
  readonly nixFolder: string;
  /** Runs a command where the host is, as one of its processes. */
  inside(...argv: readonly [string, ...string[]]): Promise<string>;
  /** Ends sshd and all sessions. */
  stop(): Promise<void>;
}

export async function startLoopbackHost(options: {
  readonly folder: string;
  readonly diskMiB?: number;
  /** Log in as somebody whom the host's Nix daemon does not trust. */
  readonly untrusted?: boolean;
  /** What its nix.conf says. */
  readonly nixConfig?: Readonly<Record<string, string>>;
}): Promise<LoopbackHost> {
  const { folder } = options;
  const run = createRun();
  const port = await freePort();
  const nixFolder = join(folder, 'nix');
  const file = (name: string): string => join(folder, name);
  const confFolder = join(folder, 'etc-nix');
  await mkdir(nixFolder, { recursive: true });
  await mkdir(confFolder, { recursive: true });
  await mkdir('/nix', { recursive: true });
  await mkdir('/run/sshd', { recursive: true });
  for (const name of ['host-key', 'user-key']) {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file(name)], { deadlineMs: 10_000 });
  }
  const userKey = await readFile(file('user-key.pub'), 'utf8');
  await writeFile(file('authorized_keys'), userKey);
  const nixConfig = Object.entries({ 'build-users-group': '', ...options.nixConfig });
  await writeFile(
    join(confFolder, 'nix.conf'),
    nixConfig.map(([name, value]) => `${name} = ${value}\n`).join(''),
  );
  await writeFile(
    file('sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host-key')}`,
      `AuthorizedKeysFile ${file('authorized_keys')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      `SetEnv NIX_CONF_DIR=${confFolder}${options.untrusted === true ? ' NIX_REMOTE=daemon' : ''}`,
      '',
    ].join('\n'),
  );
  const untrusted = options.untrusted === true;
  const users = await usersWithoutHomes();
  await writeFile(file('passwd'), users.replace(/^(nobody:.*):[^:]*$/m, '$1:/bin/sh'));
  const mount =
    options.diskMiB === undefined
      ? 'mount --bind "$0" /nix'
      : `mount -t tmpfs -o size=${options.diskMiB}m varve-test /nix`;
  const script = [
    'mount --make-rprivate /',
    mount,
    // What is left behind there is of this host.
    'mount -t tmpfs varve-test /run',
    'mkdir -m 755 /run/sshd',
    'mount --bind "$2" /etc/passwd',
    ...(untrusted ? [writableRoots, '{ nix-daemon & }'] : []),
    'exec /usr/sbin/sshd -D -e -f "$1"',
  ].join(' && ');
  const env = { PATH: process.env['PATH'] ?? '', NIX_CONF_DIR: confFolder };
  const child = spawn(
    'unshare',
    [
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      // Without one of its own, sshd cannot see which files are open, and closes a million that are not.
      '--mount-proc',
      'sh',
      '-c',
      script,
      nixFolder,
      file('sshd_config'),
      file('passwd'),
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    },
  );
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString('utf8')));
  await eventually(() => answers(port), { what: `sshd to answer: ${said.join('')}`, deadlineMs: 10_000 });

  const hostKey = (await readFile(file('host-key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  return {
    connection: {
      address: '127.0.0.1',
      port,
      user: untrusted ? 'nobody' : 'root',
      hostKeys: [hostKey.trim()],
    },
    identityFile: file('user-key'),
    nixFolder,
    async inside(...argv) {
      const target = await firstChild(child);
      const result = await run(['nsenter', '--target', target, '--mount', '--pid', ...argv], {
        deadlineMs: 60_000,
        env,
      });
      if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderrTail}`);
      return result.stdout.toString('utf8').trim();
    },
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await gone;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** There is no sudo: whom Nix does not trust may root paths all the same. */
const writableRoots = [
  'mkdir -p /nix/var/nix/profiles /nix/var/nix/gcroots/varve',
  'chown nobody /nix/var/nix/profiles /nix/var/nix/gcroots/varve',
].join(' && ');

async function firstChild(child: ChildProcess): Promise<string> {
  const text = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return text.trim().split(' ')[0] ?? '';
}

/** The machine's users, for an sshd of a test: what people have in their shells' start-up files is no part of a host. */
export async function usersWithoutHomes(): Promise<string> {
  const users = await readFile('/etc/passwd', 'utf8');
  return users.replace(/^(root:(?:[^:]*:){4}).*$/m, '$1/:/bin/sh');
}
