import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { createSsh, type Ssh } from '../../../worker/ssh/ssh.ts';
import { startDelayProxy } from '../../support/delay-proxy.ts';
import { startSshd, type Sshd } from './sshd.ts';

let sshd: Sshd;
let ssh: Ssh;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  sshd = await startSshd();
});
afterEach(async () => {
  ssh.close();
  for (const close of closers.splice(0)) await close();
});
afterAll(() => sshd.close());

async function sessionOver(port: number, keepaliveMs: number) {
  ssh = createSsh({ keyFiles: [sshd.keyFile], keepaliveMs });
  return ssh.pooled({ address: '127.0.0.1', port, user: 'root', hostKeys: [sshd.hostKey] });
}

/** A way to a server that takes so many bytes of a client's in a second. */
async function slowLine(target: number, bytesPerSecond: number): Promise<number> {
  const everyMs = 20;
  const server = createServer((client) => {
    const far = createConnection({ host: '127.0.0.1', port: target });
    far.pipe(client);
    client.pause();
    const timer = setInterval(() => {
      const piece: unknown = client.read((bytesPerSecond * everyMs) / 1_000) ?? client.read();
      if (piece instanceof Buffer) far.write(piece);
    }, everyMs);
    const end = (): void => {
      clearInterval(timer);
      client.destroy();
      far.destroy();
    };
    for (const socket of [client, far]) socket.on('error', end).on('close', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  const at = server.address();
  return typeof at === 'object' && at !== null ? at.port : 0;
}

test('a line on which an answer takes longer than a server may be silent is not taken for dead', async () => {
  const port = await slowLine(sshd.port, 1_000_000);
  const session = await sessionOver(port, 100);
  const { signal } = new AbortController();
  const channel = await session.start('wc -c', { signal });
  const piece = Buffer.alloc(128 * 1024, 'x');
  // What is on its way takes two seconds, five times as long.
  for (let n = 0; n < 32; n += 1) await channel.write(piece);
  channel.end();
  const said: Uint8Array[] = [];
  for await (const part of channel.output) said.push(part);
  expect(Number(Buffer.concat(said).toString())).toBe(32 * 128 * 1024);
});

test('a line that is dead is known for it', async () => {
  const line = await startDelayProxy({ target: { address: '127.0.0.1', port: sshd.port }, roundTripMs: 0 });
  closers.push(() => line.close());
  const session = await sessionOver(line.port, 100);
  const { signal } = new AbortController();
  const channel = await session.start('cat', { signal });
  line.freeze();
  const began = performance.now();
  expect(await channel.ended).toEqual({ kind: 'lost' });
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(session.isOpen()).toBe(false);
});
