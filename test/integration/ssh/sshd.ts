import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { run } from '../../hosts/command.ts';
import { makeKey } from '../../hosts/host-disk.ts';
import { eventually } from '../../support/eventually.ts';
import { usersWithoutHomes } from '../../support/loopback-host.ts';
import { answers, freePort } from '../../support/ports.ts';

/** A real sshd on loopback, with keys of its own. */
export interface Sshd {
  readonly port: number;
  readonly folder: string;
  /** `type base64`. */
  readonly hostKey: string;
  readonly rsaHostKey: string;
  /** The private key that is let in. */
  readonly keyFile: string;
  /** Another one, that is not. */
  readonly strangerKeyFile: string;
  /** What sshd wrote to its log so far. */
  log(): Promise<string>;
  /** How many logins it has let in so far. */
  logins(): Promise<number>;
  /** Sends a signal to the processes of its connections, not to the daemon. */
  signalConnections(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void>;
  /** Ends the daemon; connections stay. */
  stop(): Promise<void>;
  /** Starts it again, after `stop`. */
  start(): Promise<void>;
  /** Ends it with its connections. */
  close(): Promise<void>;
}

export async function startSshd(extra: readonly string[] = []): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-sshd-'));
  const file = (name: string): string => join(folder, name);
  const hostKey = await makeKey(file('host'), 'host');
  await run(['ssh-keygen', '-q', '-t', 'rsa', '-b', '2048', '-N', '', '-C', 'host', '-f', file('host-rsa')]);
  const rsaHostKey = (await readFile(file('host-rsa.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  await writeFile(file('authorized_keys'), `${await makeKey(file('user'), 'user')}\n`);
  await makeKey(file('stranger'), 'stranger');
  const port = await freePort();
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${file('host')}`,
    `HostKey ${file('host-rsa')}`,
    `AuthorizedKeysFile ${file('authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'LogLevel VERBOSE',
    ...extra,
  ];
  await writeFile(file('sshd_config'), `${config.join('\n')}\n`);
  await mkdir('/run/sshd', { recursive: true });
  await writeFile(file('passwd'), await usersWithoutHomes());
  const script =
    'mount --make-rprivate / && mount --bind "$0/passwd" /etc/passwd && exec /usr/sbin/sshd -D -f "$0/sshd_config" -E "$0/log"';
  const begin = async (): Promise<ChildProcess> => {
    const started = spawn('unshare', ['--mount', 'sh', '-c', script, folder], { stdio: 'ignore' });
    await eventually(() => answers(port), { deadlineMs: 10_000, what: 'sshd' });
    return started;
  };
  let daemon = await begin();
  const stop = async (): Promise<void> => {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    await ended;
  };
  /** Whoever is stopped ends for nobody but us, also when the daemon has gone. */
  const stopped = new Set<number>();
  const signalConnections = async (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void> => {
    for (const pid of new Set([...stopped, ...(await descendantsOf(daemon.pid))])) {
      if (signal === 'SIGSTOP') stopped.add(pid);
      else stopped.delete(pid);
      try {
        process.kill(pid, signal);
      } catch {
        // It ended with another one of them.
      }
    }
  };
  return {
    port,
    folder,
    hostKey,
    rsaHostKey,
    keyFile: file('user'),
    strangerKeyFile: file('stranger'),
    log: () => readFile(file('log'), 'utf8'),
    logins: async () => (await readFile(file('log'), 'utf8')).match(/Accepted publickey/g)?.length ?? 0,
    signalConnections,
    stop,
    async start() {
      daemon = await begin();
    },
    async close() {
      await signalConnections('SIGKILL');
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function descendantsOf(pid: number | undefined): Promise<readonly number[]> {
  // A process that has gone meanwhile has none.
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const children = text.split(' ').filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}
