import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { failureOf } from '../../../shared/domain/errors.ts';
import type { Connection } from '../../../shared/domain/fleet.ts';
import type { Channel } from '../../../worker/ssh/channel.ts';
import type { Session } from '../../../worker/ssh/session.ts';
import { type Ssh, type SshDeps, createSsh } from '../../../worker/ssh/ssh.ts';
import { run } from '../../hosts/command.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/ports.ts';
import { type Sshd, startSshd } from './sshd.ts';

let sshd: Sshd;
const opened: Ssh[] = [];
const open = (deps: Partial<SshDeps> = {}): Ssh => {
  const ssh = createSsh({ keyFiles: [sshd.keyFile], connectDeadlineMs: 5_000, ...deps });
  opened.push(ssh);
  return ssh;
};
const there = (): Connection => ({
  address: '127.0.0.1',
  port: sshd.port,
  user: 'root',
  hostKeys: [sshd.hostKey],
});
const never = (): AbortSignal => new AbortController().signal;

beforeAll(async () => {
  sshd = await startSshd();
});
afterEach(() => {
  for (const ssh of opened.splice(0)) ssh.close();
});
afterAll(() => sshd.close());

async function failureOfWork(work: Promise<unknown>) {
  return failureOf(
    await work.then(
      () => new Error('it went well'),
      (thrown: unknown) => thrown,
    ),
  );
}

async function said(channel: Channel): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of channel.output) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe('an SSH agent', () => {
  it('proves who we are, and is named when it cannot', async () => {
    const socket = join(sshd.folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    try {
      const env = { ...process.env, SSH_AUTH_SOCK: socket };
      const add = (key: string) => run(['ssh-add', '-q', key], { env });
      await eventually(async () => (await add(sshd.strangerKeyFile), true), {
        what: 'the agent to take a key',
        deadlineMs: 5_000,
      });
      const refused = await failureOfWork(open({ keyFiles: [], agentSocket: socket }).fresh(there()));
      expect(refused.code).toBe('HOST_AUTH_FAILED');
      await add(sshd.keyFile);
      const ssh = open({ keyFiles: [], agentSocket: socket });
      const session = await ssh.fresh(there());
      expect((await session.exec('echo in', { deadlineMs: 5_000 })).stdout).toBe('in\n');
      expect((await ssh.ownKeys()).size).toBe(2);
    } finally {
      const gone = new Promise((resolve) => agent.once('exit', resolve));
      agent.kill();
      await gone;
    }
    const failure = await failureOfWork(open({ keyFiles: [], agentSocket: socket }).fresh(there()));
    expect(failure).toMatchObject({ code: 'HOST_UNREACHABLE', details: { where: 'worker' } });
  });
});

describe('the sessions of a connection', () => {
  /** Starts it, talks to it, and has another one wait. */
  async function talk(session: Session, command: string): Promise<string> {
    const channel = await session.start(command, { signal: never(), again: true });
    channel.end();
    return said(channel);
  }

  it('are never more than sshd allows by default, with those that wait and however many are wanted', async () => {
    const before = await sshd.logins();
    const session = await open().pooled(there());
    await Promise.all(['echo a; cat', 'echo b; cat'].map((command) => talk(session, command)));
    const all = await Promise.all([
      ...Array.from({ length: 12 }, async (_, i) => {
        const { stdout } = await session.exec(`sleep 0.2; echo ${i}`, { deadlineMs: 60_000 });
        return stdout;
      }),
      ...Array.from({ length: 8 }, (_, i) => talk(session, `echo ${i % 2 === 0 ? 'a' : 'b'}; cat`)),
    ]);
    const numbers = Array.from({ length: 12 }, (_, i) => `${i}\n`);
    const letters = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? 'a\n' : 'b\n'));
    expect(all).toEqual([...numbers, ...letters]);
    expect(await sshd.logins()).toBe(before + 1);
    expect(await sshd.log()).not.toContain('no more sessions');
  });

  it('that a host has no more of are had from another connection', async () => {
    const ssh = open();
    const session = await ssh.pooled(there());
    // Given up here, they go on there, each in the place of a session.
    const hanging = Array.from({ length: 10 }, () =>
      failureOfWork(session.exec('exec sleep 20', { deadlineMs: 400 })),
    );
    for (const { code } of await Promise.all(hanging)) expect(code).toBe('TIMED_OUT');
    expect(await failureOfWork(session.exec('true', { deadlineMs: 5_000 }))).toMatchObject({
      code: 'HOST_UNREACHABLE',
    });
    expect(session.isOpen()).toBe(true);
    const next = await ssh.pooled(there());
    expect((await next.exec('echo room', { deadlineMs: 5_000 })).stdout).toBe('room\n');
    session.close();
    await sshd.signalConnections('SIGKILL');
  });
});

describe('a command that waits for its next time', () => {
  it('is there at once, and replaced when it has died there', async () => {
    const session = await open().pooled(there());
    const pidFile = join(sshd.folder, 'pid');
    const command = `echo $$ | tee ${pidFile}; exec cat`;
    const first = await session.start(command, { signal: never(), again: true });
    first.end();
    const own = (await said(first)).trim();
    const waiting = await eventually(
      async () => {
        const pid = (await readFile(pidFile, 'utf8')).trim();
        return pid !== '' && pid !== own && pid;
      },
      { what: 'one that waits', deadlineMs: 5_000 },
    );
    const taken = await session.start(command, { signal: never(), again: true });
    taken.end();
    expect((await said(taken)).trim()).toBe(waiting);
    const later = await eventually(
      async () => {
        const pid = (await readFile(pidFile, 'utf8')).trim();
        return pid !== '' && pid !== waiting && pid;
      },
      { what: 'the next one that waits', deadlineMs: 5_000 },
    );
    await session.exec(`kill -KILL ${later}`, { deadlineMs: 5_000 });
    // That it has died is news that has to come from there.
    const ends = await eventually(
      async () => {
        const next = await session.start(command, { signal: never() });
        next.end();
        return (await said(next)).trim() !== later && next.ended;
      },
      { what: 'another one', deadlineMs: 5_000 },
    );
    expect(ends).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('ends with its connection, and whoever wants it then is told that the host is unreachable', async () => {
    const ssh = open();
    const session = await ssh.pooled(there());
    const first = await session.start('cat', { signal: never(), again: true });
    first.end();
    await said(first);
    await sshd.signalConnections('SIGKILL');
    const asked = await failureOfWork(
      session.start('cat', { signal: never() }).then(async (channel) => {
        expect(await channel.ended).toEqual({ kind: 'lost' });
        await channel.write(Buffer.from('anybody there?'));
      }),
    );
    expect(asked.code).toBe('HOST_UNREACHABLE');
    await eventually(() => !session.isOpen(), { what: 'the end of the connection', deadlineMs: 5_000 });
    expect(await failureOfWork(session.start('cat', { signal: never() }))).toMatchObject({
      code: 'HOST_UNREACHABLE',
    });
    const again = await (await ssh.pooled(there())).start('echo on', { signal: never() });
    expect(await said(again)).toBe('on\n');
  });
});

describe('whoever does not want to wait any more', () => {
  it('is let go at once by a frozen host, while a channel is opened and while it waits for its turn', async () => {
    const session = await open({ keepaliveMs: 60_000 }).pooled(there());
    await session.exec('true', { deadlineMs: 5_000 });
    await sshd.signalConnections('SIGSTOP');
    try {
      const stop = new AbortController();
      const { signal } = stop;
      const began = performance.now();
      const start = (patience: AbortSignal) => failureOfWork(session.start('cat', { signal: patience }));
      const exec = (patience: AbortSignal) =>
        failureOfWork(session.exec('true', { deadlineMs: 60_000, signal: patience }));
      const opening = [start(signal), exec(signal)];
      // These have all the turns there are, and do wait.
      for (const each of [start, start, start, exec, exec, exec]) void each(never());
      const works = [...opening, start(signal), exec(signal)];
      stop.abort();
      for (const { code } of await Promise.all(works)) expect(code).toBe('CANCELLED');
      expect(performance.now() - began).toBeLessThan(1_000);
    } finally {
      await sshd.signalConnections('SIGKILL');
    }
  });

  it('leaves a shared connection that is still being made to those who do, each until its own deadline', async () => {
    const port = await freePort();
    const server = createServer(() => {});
    await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
    const ssh = open({ connectDeadlineMs: 1_500 });
    const stop = new AbortController();
    const mute = { ...there(), port };
    const began = performance.now();
    const first = failureOfWork(ssh.pooled(mute, { signal: stop.signal }));
    const hasty = failureOfWork(ssh.pooled(mute, { deadlineMs: 200 }));
    const patient = failureOfWork(ssh.pooled(mute));
    stop.abort();
    expect((await first).code).toBe('CANCELLED');
    expect((await hasty).message).toContain('no answer within 200 ms');
    expect(performance.now() - began).toBeLessThan(1_000);
    expect((await patient).message).toContain('no answer within');
    expect(performance.now() - began).toBeGreaterThan(1_200);
    server.close();
  });
});

describe('a server that was away', () => {
  it('is unreachable meanwhile, and connected to anew when it is back', async () => {
    const ssh = open();
    const session = await ssh.pooled(there());
    await sshd.signalConnections('SIGKILL');
    await sshd.stop();
    await eventually(() => !session.isOpen(), { what: 'the end of the connection', deadlineMs: 5_000 });
    expect(await failureOfWork(ssh.pooled(there()))).toMatchObject({ code: 'HOST_UNREACHABLE' });
    await sshd.start();
    const again = await ssh.pooled(there());
    expect((await again.exec('echo back', { deadlineMs: 5_000 })).stdout).toBe('back\n');
  });
});
