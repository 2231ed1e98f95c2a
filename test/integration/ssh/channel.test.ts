import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { createSsh, type Ssh } from '../../../worker/ssh/ssh.ts';
import { startSshd, type Sshd } from './sshd.ts';

let sshd: Sshd;
let ssh: Ssh;
let over: AbortController;

beforeAll(async () => {
  sshd = await startSshd(['MaxSessions 10']);
});
afterEach(() => {
  over.abort();
  ssh.close();
});
afterAll(() => sshd.close());

async function started(command: string) {
  ssh = createSsh({ keyFiles: [sshd.keyFile] });
  over = new AbortController();
  const { port, hostKey } = sshd;
  const session = await ssh.pooled({ address: '127.0.0.1', port, user: 'root', hostKeys: [hostKey] });
  return session.start(command, { signal: over.signal });
}

async function all(output: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of output) parts.push(part);
  return Buffer.concat(parts);
}

test('a command is talked to while it runs, and says how it ended', async () => {
  const channel = await started('read -r word; echo "heard $word"; cat; echo trouble >&2; exit 3');
  const said = all(channel.output);
  await channel.write(Buffer.from('hello\nand more'));
  channel.end();
  expect((await said).toString()).toBe('heard hello\nand more');
  expect(await channel.ended).toEqual({ kind: 'exited', code: 3, signal: undefined });
  expect(channel.complaint()).toBe('trouble');
});

test('whoever writes waits for a command that does not read, and for no longer than it runs', async () => {
  const channel = await started('read -r word; exec sleep 60');
  await channel.write(Buffer.from('go\n'));
  const piece = Buffer.alloc(256 * 1024);
  let written = 0;
  const writing = (async () => {
    for (;;) {
      await channel.write(piece);
      written += piece.length;
    }
  })();
  const stuck = writing.catch((thrown: unknown) => thrown);
  channel.close();
  expect(await stuck).toMatchObject({ code: 'HOST_UNREACHABLE' });
  expect(written).toBeLessThan(16 * 1024 * 1024);
  expect(await channel.ended).toMatchObject({ kind: 'lost' });
});

test('a signal ends it', async () => {
  const channel = await started('echo begun; exec cat');
  const said = all(channel.output);
  over.abort();
  await channel.ended;
  await said.catch(() => {});
  await expect(channel.write(Buffer.from('more'))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
});

test('a connection that is lost ends it', async () => {
  const channel = await started('echo begun; exec cat');
  ssh.close();
  expect(await channel.ended).toEqual({ kind: 'lost' });
});

test('what a command says is carried whole, however much it is', async () => {
  const channel = await started('head -c 20000000 /dev/zero; exec cat');
  channel.end();
  expect((await all(channel.output)).length).toBe(20_000_000);
});
