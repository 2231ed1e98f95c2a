import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSource } from '../../../controller/source/create-source.ts';
import type { SshAccess } from '../../../controller/source/ssh-environment.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger } from '../../../shared/platform/logger.ts';
import type { Look } from '../../../shared/platform/ports/source.ts';
import { createConfigRepository } from '../../support/config-repository.ts';
import type { ConfigRepository } from '../../support/config-repository.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/ports.ts';

const run = createRun();
const git = createGitProgram({ run });

let folder: string;
let port: number;
let sshd: ChildProcess;
let repository: ConfigRepository;
let lives = 0;

async function key(name: string): Promise<string> {
  const path = join(folder, name);
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path], { deadlineMs: 10_000 });
  return path;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-ssh-'));
  // sshd wants every folder above the keys to be closed to others.
  await chmod(folder, 0o755);
  repository = await createConfigRepository(join(folder, 'fleet.git'));
  await repository.commit({ files: { 'flake.nix': '{ }' } });
  const [host, client] = [await key('host'), await key('client')];
  await key('stranger');
  await writeFile(join(folder, 'authorized_keys'), await readFile(`${client}.pub`));
  port = await freePort();
  const hostKey = (await readFile(`${host}.pub`, 'utf8')).trim();
  const otherKey = (await readFile(`${client}.pub`, 'utf8')).trim();
  await writeFile(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`);
  await writeFile(join(folder, 'wrong_hosts'), `[127.0.0.1]:${port} ${otherKey}\n`);
  await writeFile(join(folder, 'no_hosts'), '');
  await mkdir('/run/sshd', { recursive: true });
  const options = [
    `HostKey=${host}`,
    `AuthorizedKeysFile=${join(folder, 'authorized_keys')}`,
    'PidFile=none',
    'StrictModes=no',
    'UsePAM=no',
    'PasswordAuthentication=no',
    'ListenAddress=127.0.0.1',
  ].flatMap((option) => ['-o', option]);
  sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', '/dev/null', '-p', String(port), ...options], {
    stdio: 'ignore',
  });
  await eventually(
    async () => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();
      return true;
    },
    { what: 'sshd answers', deadlineMs: 10_000 },
  );
});

afterAll(async () => {
  if (sshd.exitCode === null) {
    const ended = once(sshd, 'exit');
    sshd.kill('SIGTERM');
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
});

async function look(ssh: SshAccess): Promise<Look> {
  lives += 1;
  const { source } = createSource(
    {
      url: `ssh://${userInfo().username}@127.0.0.1:${port}${repository.folder}`,
      ref: 'main',
      adapter: 'auto',
      dataFolder: join(folder, `data${lives}`),
      ssh,
    },
    { git, logger: silentLogger, credential: async () => undefined },
  );
  return source.look(undefined);
}

describe('a repository over SSH', () => {
  it('is followed with the configured key and known hosts', async () => {
    const seen = await look({
      identityFile: join(folder, 'client'),
      knownHostsFile: join(folder, 'known_hosts'),
    });
    expect(seen).toMatchObject({ kind: 'seen', revision: await repository.head() });
  });

  it.each(['no_hosts', 'wrong_hosts'])('is refused when the host key is not that of %s', async (file) => {
    const seen = await look({ identityFile: join(folder, 'client'), knownHostsFile: join(folder, file) });
    expect(seen).toMatchObject({ kind: 'failing', failure: { code: 'SOURCE_AUTH_FAILED' } });
  });

  it('reports a key that the server does not know', async () => {
    const seen = await look({
      identityFile: join(folder, 'stranger'),
      knownHostsFile: join(folder, 'known_hosts'),
    });
    expect(seen).toMatchObject({ kind: 'failing', failure: { code: 'SOURCE_AUTH_FAILED' } });
  });
});
