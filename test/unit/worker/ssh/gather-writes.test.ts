import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';

import { afterEach, expect, test, vi } from 'vitest';

import { gatherWrites } from '../../../../worker/ssh/gather-writes.ts';

const closers: (() => unknown)[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) close();
});

/** A socket to a server, and what came out there. */
async function connected(): Promise<{ readonly socket: Socket; readonly received: Promise<string> }> {
  let tell = (_text: string): void => {};
  const received = new Promise<string>((resolve) => (tell = resolve));
  const server = createServer((peer) => {
    let text = '';
    peer.on('data', (bytes) => (text += String(bytes)));
    peer.on('end', () => tell(text));
  }).listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = gatherWrites(new Socket().connect({ host: '127.0.0.1', port }));
  closers.push(() => socket.destroy());
  return { socket, received };
}

test('what is written in one go is given to the system in one call, and in order', async () => {
  const { socket, received } = await connected();
  await once(socket, 'connect');
  const calls = vi.spyOn(socket, '_writev' as never);
  const told: string[] = [];
  for (const word of ['one ', 'two ', 'three ']) socket.write(word, () => told.push(word));
  await vi.waitFor(() => expect(told).toHaveLength(3));
  expect(calls).toHaveBeenCalledOnce();
  socket.write('four', 'latin1', () => told.push('four'));
  await vi.waitFor(() => expect(told).toEqual(['one ', 'two ', 'three ', 'four']));
  socket.end();
  expect(await received).toBe('one two three four');
});

test('what is written before there is a connection, and just before the end, arrives', async () => {
  const { socket, received } = await connected();
  socket.write('early ');
  await once(socket, 'connect');
  socket.write('late');
  socket.end();
  expect(await received).toBe('early late');
});
