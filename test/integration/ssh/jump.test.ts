import { createServer } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { failureOf } from '../../../shared/domain/errors.ts';
import type { Connection } from '../../../shared/domain/fleet.ts';
import { isHostsFault } from '../../../worker/activate/witness.ts';
import { type Ssh, type SshDeps, createSsh } from '../../../worker/ssh/ssh.ts';
import { eventually } from '../../support/eventually.ts';
import { type Sshd, startSshd } from './sshd.ts';

let jump: Sshd;
let second: Sshd;
let target: Sshd;
const opened: Ssh[] = [];
const open = (deps: Partial<SshDeps> = {}): Ssh => {
  const keyFiles = [jump, second, target].map(({ keyFile }) => keyFile);
  const ssh = createSsh({ keyFiles, connectDeadlineMs: 5_000, ...deps });
  opened.push(ssh);
  return ssh;
};
const at = (sshd: Sshd, via?: Connection): Connection => ({
  address: '127.0.0.1',
  port: sshd.port,
  user: 'root',
  hostKeys: [sshd.hostKey],
  ...(via === undefined ? {} : { via }),
});
const otherKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

beforeAll(async () => {
  [jump, second, target] = await Promise.all([startSshd(), startSshd(), startSshd()]);
});
afterEach(() => {
  for (const ssh of opened.splice(0)) ssh.close();
});
afterAll(() => Promise.all([jump, second, target].map((sshd) => sshd.close())));

async function failureOfDial(dialling: Promise<unknown>) {
  return failureOf(
    await dialling.then(
      () => new Error('it got through'),
      (thrown: unknown) => thrown,
    ),
  );
}

/** What one server writes down while something is done. */
async function loggedBy(sshd: Sshd, act: () => Promise<unknown>): Promise<string> {
  const before = (await sshd.log()).length;
  await act();
  return (await sshd.log()).slice(before);
}

describe('a host behind a jump host', () => {
  it('is reached through it, which runs nothing and is given no agent', async () => {
    const logged = await loggedBy(jump, async () => {
      const session = await open().pooled(at(target, at(jump)));
      const { stdout } = await session.exec('echo "$SSH_CONNECTION ${SSH_AUTH_SOCK-none}"', {
        deadlineMs: 5_000,
      });
      expect(stdout).toMatch(new RegExp(`^127.0.0.1 \\d+ 127.0.0.1 ${target.port} none\n$`));
    });
    expect(logged).toContain('Accepted publickey');
    expect(logged).not.toContain('Starting session');
  });

  it('may be two of them away', async () => {
    const [first, between] = [await jump.logins(), await second.logins()];
    const session = await open().fresh(at(target, at(second, at(jump))));
    expect((await session.exec('echo in', { deadlineMs: 5_000 })).stdout).toBe('in\n');
    expect([await jump.logins(), await second.logins()]).toEqual([first + 1, between + 1]);
  });

  it('shares the connection to it with others, and has it as long as somebody goes through', async () => {
    const before = await jump.logins();
    const ssh = open({ idleMs: 200 });
    const [one, other] = await Promise.all([
      ssh.pooled(at(target, at(jump))),
      ssh.pooled(at(second, at(jump))),
    ]);
    expect(await jump.logins()).toBe(before + 1);
    one.close();
    await eventually(() => !one.isOpen(), { what: 'the unused one to end', deadlineMs: 5_000 });
    // Longer than what is unused is kept: a command through the other one.
    expect((await other.exec('sleep 0.5; echo on', { deadlineMs: 5_000 })).stdout).toBe('on\n');
    const logged = await loggedBy(jump, async () => {
      other.close();
      await eventually(() => !other.isOpen(), { what: 'the last one to end', deadlineMs: 5_000 });
      await eventually(async () => /Disconnected from/.test((await jump.log()).slice(-300)), {
        what: 'the jump host to be left',
        deadlineMs: 5_000,
      });
    });
    expect(logged).toContain('Disconnected from');
    const again = await ssh.pooled(at(target, at(jump)));
    expect(again.isOpen()).toBe(true);
    expect(await jump.logins()).toBe(before + 2);
  });

  it('takes a connection of its own for what must be fresh, through the jump connection that is there', async () => {
    const ssh = open();
    const process = async (dialling: Promise<Awaited<ReturnType<Ssh['fresh']>>>): Promise<string> =>
      (await (await dialling).exec('echo $PPID', { deadlineMs: 5_000 })).stdout;
    const pooled = await process(ssh.pooled(at(target, at(jump))));
    const before = [await jump.logins(), await target.logins()];
    expect(await process(ssh.fresh(at(target, at(jump))))).not.toBe(pooled);
    expect([await jump.logins(), (await target.logins()) - 1]).toEqual(before);
  });
});

describe('host keys on the way', () => {
  it('that differ at the jump host end it there: the host behind is sent nothing', async () => {
    const logged = await loggedBy(target, async () => {
      const wrong = { ...at(jump), hostKeys: [otherKey] };
      const failure = await failureOfDial(open().fresh(at(target, wrong)));
      expect(failure).toMatchObject({ code: 'HOST_KEY_MISMATCH', disposition: 'stalled' });
      expect(failure.message).toContain(
        `no way to 127.0.0.1 port ${target.port} through its jump host: 127.0.0.1 port ${jump.port} shows another`,
      );
      expect(isHostsFault(failure)).toBe(false);
    });
    expect(logged).not.toContain('Connection from');
  });

  it('that differ at the host end it before anything is sent', async () => {
    const logged = await loggedBy(target, async () => {
      const failure = await failureOfDial(open().fresh({ ...at(target, at(jump)), hostKeys: [otherKey] }));
      expect(failure.code).toBe('HOST_KEY_MISMATCH');
      expect(failure.message).toContain(`port ${target.port} through 127.0.0.1 port ${jump.port} shows`);
      expect(isHostsFault(failure)).toBe(true);
    });
    expect(logged).not.toMatch(/user|publickey|Accepted/i);
  });
});

describe('a jump host', () => {
  it('that lets nobody through is named, with what to change there', async () => {
    const closed = await startSshd(['AllowTcpForwarding no']);
    try {
      const ssh = open({ keyFiles: [closed.keyFile, target.keyFile] });
      const failure = await failureOfDial(ssh.fresh(at(target, at(closed))));
      expect(failure).toMatchObject({
        code: 'HOST_UNREACHABLE',
        hint: expect.stringContaining('AllowTcpForwarding'),
      });
      expect(failure.message).toContain(`127.0.0.1 port ${closed.port} lets root through to no other host`);
      expect(isHostsFault(failure)).toBe(false);
    } finally {
      await closed.close();
    }
  });

  it('that does not get to the host says so of the host', async () => {
    const failure = await failureOfDial(open().fresh({ ...at(target, at(jump)), port: 1 }));
    expect(failure.code).toBe('HOST_UNREACHABLE');
    expect(failure.message).toContain(
      `127.0.0.1 port 1 through 127.0.0.1 port ${jump.port} cannot be reached`,
    );
    expect(isHostsFault(failure)).toBe(true);
  });

  it('that nobody answers at is no word about the host', async () => {
    const failure = await failureOfDial(open().fresh(at(target, { ...at(jump), port: 1 })));
    expect(failure.code).toBe('HOST_UNREACHABLE');
    expect(failure.message).toContain('through its jump host: 127.0.0.1 port 1 cannot be reached');
    expect(isHostsFault(failure)).toBe(false);
  });

  it('that dies takes along what goes through, and is connected to anew by whoever comes next', async () => {
    const ssh = open();
    const session = await ssh.pooled(at(target, at(jump)));
    const channel = await session.start('exec cat', { signal: new AbortController().signal, again: true });
    const running = failureOfDial(
      session.exec('echo begun; sleep 30', {
        deadlineMs: 20_000,
        onLine: () => void jump.signalConnections('SIGKILL'),
      }),
    );
    expect(await running).toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: `the connection to 127.0.0.1 port ${target.port} through 127.0.0.1 port ${jump.port} was lost`,
    });
    expect(await channel.ended).toEqual({ kind: 'lost' });
    session.close();
    const next = await ssh.pooled(at(target, at(jump)));
    expect((await next.exec('echo back', { deadlineMs: 5_000 })).stdout).toBe('back\n');
  });

  it('that freezes is noticed by its keepalives', async () => {
    const ssh = open({ keepaliveMs: 100 });
    const session = await ssh.pooled(at(target, at(jump)));
    const began = performance.now();
    await jump.signalConnections('SIGSTOP');
    try {
      const failure = await failureOfDial(session.exec('true', { deadlineMs: 20_000 }));
      expect(failure).toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      await jump.signalConnections('SIGKILL');
    }
  });

  it('that is frozen holds nobody up beyond the deadline, nor after an abort', async () => {
    const ssh = open({ keepaliveMs: 60_000 });
    const session = await ssh.pooled(at(target, at(jump)));
    await jump.signalConnections('SIGSTOP');
    try {
      const began = performance.now();
      expect(await failureOfDial(ssh.fresh(at(target, at(jump)), { deadlineMs: 300 }))).toMatchObject({
        code: 'HOST_UNREACHABLE',
        message: expect.stringContaining('no answer within'),
      });
      const stop = new AbortController();
      const dialling = failureOfDial(ssh.fresh(at(target, at(jump)), { signal: stop.signal }));
      const asking = failureOfDial(session.exec('true', { deadlineMs: 20_000, signal: stop.signal }));
      stop.abort();
      expect([(await dialling).code, (await asking).code]).toEqual(['CANCELLED', 'CANCELLED']);
      expect(performance.now() - began).toBeLessThan(2_000);
    } finally {
      await jump.signalConnections('SIGKILL');
    }
  });

  it('with a host behind it that says nothing: the deadline is one for the whole way', async () => {
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => void mute.listen(0, '127.0.0.1', resolve));
    const address = mute.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const began = performance.now();
    const failure = await failureOfDial(
      open().fresh({ ...at(target, at(jump)), port }, { deadlineMs: 1_500 }),
    );
    expect(failure.code).toBe('HOST_UNREACHABLE');
    expect(performance.now() - began).toBeLessThan(3_000);
    mute.close();
  });
});
