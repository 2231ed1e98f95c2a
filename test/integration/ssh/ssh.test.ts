import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Connection } from '../../../shared/domain/fleet.ts';
import { asRoot } from '../../../worker/ssh/remote-shell.ts';
import { type Ssh, type SshDeps, createSsh } from '../../../worker/ssh/ssh.ts';
import { run } from '../../hosts/command.ts';
import { eventually } from '../../support/eventually.ts';
import { type Sshd, startSshd } from './sshd.ts';

let sshd: Sshd;
const opened: Ssh[] = [];
const open = (deps: Partial<SshDeps> = {}): Ssh => {
  const ssh = createSsh({ keyFiles: [sshd.keyFile], connectDeadlineMs: 5_000, ...deps });
  opened.push(ssh);
  return ssh;
};
const there = (change: Partial<Connection> = {}): Connection => ({
  address: '127.0.0.1',
  port: sshd.port,
  user: 'root',
  hostKeys: [sshd.hostKey],
  ...change,
});

beforeAll(async () => {
  sshd = await startSshd(['MaxSessions 10']);
});
afterEach(() => {
  for (const ssh of opened.splice(0)) ssh.close();
});
afterAll(() => sshd.close());

describe('host keys', () => {
  it('that are pinned are accepted, whichever type it is, with a comment or without', async () => {
    for (const hostKeys of [[sshd.hostKey], [sshd.rsaHostKey], [`${sshd.hostKey} root@web1`]]) {
      const session = await open().fresh(there({ hostKeys }));
      expect((await session.exec('echo in', { deadlineMs: 5_000 })).stdout).toBe('in\n');
    }
  });

  it('that nothing is said about are refused, with the line to paste', async () => {
    await expect(open().fresh(there({ hostKeys: [] }))).rejects.toMatchObject({
      code: 'HOST_KEY_UNKNOWN',
      disposition: 'stalled',
      hint: expect.stringContaining(sshd.hostKey),
    });
  });

  it('that differ are refused before anything is sent', async () => {
    const before = (await sshd.log()).length;
    const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    await expect(open().fresh(there({ hostKeys: [other] }))).rejects.toMatchObject({
      code: 'HOST_KEY_MISMATCH',
      disposition: 'stalled',
    });
    expect((await sshd.log()).slice(before)).not.toMatch(/user|publickey|Accepted/i);
  });

  it('of a type that the server has none of are a mismatch', async () => {
    const hostKeys = ['ecdsa-sha2-nistp256 AAAA'];
    await expect(open().fresh(there({ hostKeys }))).rejects.toMatchObject({ code: 'HOST_KEY_MISMATCH' });
  });

  it('come from known_hosts, hashed by ssh-keygen, where none is pinned', async () => {
    const knownHostsFile = join(sshd.folder, 'known_hosts');
    await writeFile(knownHostsFile, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
    await run(['ssh-keygen', '-q', '-H', '-f', knownHostsFile]);
    const session = await open({ knownHostsFile }).fresh(there({ hostKeys: [] }));
    expect(session.isOpen()).toBe(true);
  });

  it('that known_hosts revokes are refused, pinned or not', async () => {
    const knownHostsFile = join(sshd.folder, 'revoked');
    await writeFile(knownHostsFile, `@revoked * ${sshd.hostKey}\n`);
    await expect(open({ knownHostsFile }).fresh(there())).rejects.toMatchObject({
      code: 'HOST_KEY_MISMATCH',
    });
  });
});

describe('logging in', () => {
  it('fails with a key that the host does not know', async () => {
    await expect(open({ keyFiles: [sshd.strangerKeyFile] }).fresh(there())).rejects.toMatchObject({
      code: 'HOST_AUTH_FAILED',
      disposition: 'stalled',
    });
  });

  it('tries one key after the other', async () => {
    const ssh = open({ keyFiles: [sshd.strangerKeyFile, sshd.keyFile] });
    expect((await ssh.fresh(there())).isOpen()).toBe(true);
  });

  it('says which key file cannot be used', async () => {
    await expect(open({ keyFiles: [join(sshd.folder, 'none')] }).fresh(there())).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

describe('a host that does not answer', () => {
  it('is unreachable when nobody listens', async () => {
    await expect(open().fresh(there({ port: 1 }))).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
    });
  });

  it('is given up at the deadline when it says nothing', async () => {
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => {
      mute.listen(0, '127.0.0.1', resolve);
    });
    const address = mute.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const began = performance.now();
    await expect(open().fresh(there({ port }), { deadlineMs: 300 })).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
    });
    expect(performance.now() - began).toBeLessThan(2_000);
    mute.close();
  });

  it('is passed over for the next candidate', async () => {
    const session = await open().firstReachable([there({ port: 1 }), there()]);
    expect(session.connection.port).toBe(sshd.port);
  });

  it('fails as the first candidate does when none answers', async () => {
    await expect(open().firstReachable([there({ hostKeys: [] }), there({ port: 1 })])).rejects.toMatchObject({
      code: 'HOST_KEY_UNKNOWN',
    });
    await expect(open().firstReachable([])).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
  });

  it('is not waited for after an abort', async () => {
    const stop = new AbortController();
    const connecting = open().fresh(there(), { signal: stop.signal });
    stop.abort();
    await expect(connecting).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('exec', () => {
  it('gives status, both outputs, and every line as it comes', async () => {
    const session = await open().fresh(there());
    const lines: string[] = [];
    const result = await session.exec('cat; echo oh >&2; exit 3', {
      stdin: 'a\nb\nc',
      deadlineMs: 5_000,
      onLine: (line) => lines.push(line),
    });
    expect(result).toEqual({ code: 3, signal: undefined, stdout: 'a\nb\nc', stderr: 'oh\n' });
    expect(lines).toEqual(['a', 'b', 'c']);
  });

  it('names the signal that ended it', async () => {
    const session = await open().fresh(there());
    expect(await session.exec('kill -TERM $$', { deadlineMs: 5_000 })).toMatchObject({
      code: undefined,
      signal: expect.stringMatching(/TERM$/),
    });
  });

  it('keeps no more output than asked for', async () => {
    const session = await open().fresh(there());
    const { stdout } = await session.exec('head -c 100000 /dev/zero | tr "\\0" x', {
      deadlineMs: 5_000,
      maxOutputBytes: 10,
    });
    expect(stdout).toBe('xxxxxxxxxx');
  });

  it('is given up at its deadline, and the connection goes on', async () => {
    const session = await open().fresh(there());
    await expect(session.exec('sleep 30', { deadlineMs: 200 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
    expect((await session.exec('echo on', { deadlineMs: 5_000 })).stdout).toBe('on\n');
  });

  it('can be cancelled', async () => {
    const session = await open().fresh(there());
    const stop = new AbortController();
    const running = session.exec('echo; sleep 30', {
      deadlineMs: 20_000,
      signal: stop.signal,
      onLine: () => stop.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('without an exit status is a failure', async () => {
    const session = await open().fresh(there());
    // The server's process for this connection dies.
    await expect(session.exec('kill -KILL $PPID', { deadlineMs: 5_000 })).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
    });
    await expect(session.exec('true', { deadlineMs: 5_000 })).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
    });
  });

  it('runs many at a time within what the server allows', async () => {
    const session = await open().fresh(there());
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, i) => session.exec(`echo ${i}`, { deadlineMs: 20_000 })),
    );
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(
      Array.from({ length: 30 }, (_, i) => String(i)),
    );
  });

  it('as root takes a program with several lines, whatever the login shell makes of it', async () => {
    const session = await open().fresh(there());
    const { stdout } = await session.exec(asRoot('IFS= read -r line\necho "$(id -u) <$line>"'), {
      stdin: "it's\n",
      deadlineMs: 5_000,
    });
    expect(stdout).toBe("0 <it's>\n");
    expect(() => asRoot("echo 'x'")).toThrow(RangeError);
  });
});

describe('pooled connections', () => {
  const serverProcess = async (ssh: Ssh, fresh = false): Promise<string> => {
    const session = await (fresh ? ssh.fresh(there()) : ssh.pooled(there()));
    const { stdout } = await session.exec('echo $PPID', { deadlineMs: 5_000 });
    session.close();
    return stdout.trim();
  };

  it('are shared, and fresh ones are not', async () => {
    const ssh = open();
    const [a, b, c] = await Promise.all([serverProcess(ssh), serverProcess(ssh), serverProcess(ssh, true)]);
    expect(a).toBe(b);
    expect(c).not.toBe(a);
    expect(await serverProcess(ssh)).toBe(a);
  });

  it('are closed when nobody used them for a while', async () => {
    const ssh = open({ idleMs: 50 });
    const session = await ssh.pooled(there());
    session.close();
    await eventually(() => !session.isOpen(), {
      deadlineMs: 5_000,
      what: 'the idle connection to be closed',
    });
    expect(await serverProcess(ssh)).not.toBe('');
  });

  it('that died are replaced', async () => {
    const ssh = open();
    const session = await ssh.pooled(there());
    await session.exec('kill -KILL $PPID', { deadlineMs: 5_000 }).catch(() => {});
    session.close();
    expect(await serverProcess(ssh)).toMatch(/^\d+$/);
  });

  it('are not kept when they could not be made', async () => {
    const ssh = open();
    await expect(ssh.pooled(there({ port: 1 }))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await expect(ssh.pooled(there({ port: 1 }))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
  });
});
