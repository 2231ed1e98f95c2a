import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { startDelayProxy, type DelayProxy } from '../../support/delay-proxy.ts';
import { eventually } from '../../support/eventually.ts';

const MiB = 1024 * 1024;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A server that does so with each connection. */
async function serverThat(serve: (socket: Socket) => void): Promise<{ address: string; port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const at = server.address();
  return { address: '127.0.0.1', port: typeof at === 'object' && at !== null ? at.port : 0 };
}

async function proxyTo(target: { address: string; port: number }, roundTripMs: number): Promise<DelayProxy> {
  const proxy = await startDelayProxy({ target, roundTripMs });
  closers.push(() => proxy.close());
  return proxy;
}

function dial(proxy: DelayProxy): Socket {
  const socket = createConnection({
    host: proxy.address,
    port: proxy.port,
    allowHalfOpen: true,
    noDelay: true,
  });
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  return socket;
}

const echo = (socket: Socket): void => void socket.pipe(socket);

/** How long one byte takes there and back, in milliseconds. */
async function roundTrip(socket: Socket): Promise<number> {
  const began = performance.now();
  socket.write('x');
  await once(socket, 'data');
  return performance.now() - began;
}

/** All that comes until the end. */
async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) if (chunk instanceof Buffer) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes of which no two places look the same. */
function numbered(bytes: number): Buffer {
  const all = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) all.writeUInt32LE(at, at);
  return all;
}

describe('the delay proxy', () => {
  test('takes a round trip longer for an answer, and two for the first of a connection', async () => {
    const proxy = await proxyTo(await serverThat(echo), 60);
    const socket = dial(proxy);
    const first = await roundTrip(socket);
    expect(first).toBeGreaterThanOrEqual(119);
    const later = [];
    for (let n = 0; n < 5; n += 1) later.push(await roundTrip(socket));
    expect(Math.min(...later)).toBeGreaterThanOrEqual(59);
    expect(Math.min(...later)).toBeLessThan(100);
  });

  test('brings everything in order both ways, and each end to the other side', async () => {
    const sent = numbered(3 * MiB);
    const proxy = await proxyTo(await serverThat(echo), 10);
    const socket = dial(proxy);
    socket.end(sent);
    const back = await readAll(socket);
    expect(back.equals(sent)).toBe(true);
    expect([proxy.carried('to-server'), proxy.carried('to-client')]).toEqual([sent.length, sent.length]);
    expect(proxy.connections()).toBe(1);
  });

  test('has at least 8 MiB on the way at a time', async () => {
    let arrived = 0;
    const server = await serverThat((socket) => {
      socket.write('hello');
      socket.on('data', (chunk: Buffer) => (arrived += chunk.length));
    });
    const proxy = await proxyTo(server, 800);
    const socket = dial(proxy);
    await once(socket, 'data');
    const size = 12 * MiB;
    socket.write(Buffer.alloc(size));
    await eventually(() => socket.writableLength === 0, { what: 'the line to take it', deadlineMs: 5_000 });
    expect(arrived).toBe(0);
    await eventually(() => arrived === size, { what: 'it to arrive', deadlineMs: 5_000 });
  });

  test('holds a writer back whose reader is slow', async () => {
    const readers: Socket[] = [];
    const proxy = await proxyTo(await serverThat((socket) => void readers.push(socket.pause())), 2);
    const socket = dial(proxy);
    const size = 100 * MiB;
    let taken = 0;
    const writeOn = (): void => {
      if (taken === size) socket.end();
      else
        socket.write(Buffer.alloc(MiB), () => {
          taken += MiB;
          writeOn();
        });
    };
    writeOn();
    let last = 0;
    let still = 0;
    // Until nothing moves any more.
    await eventually(
      () => {
        still = taken > 0 && taken === last ? still + 1 : 0;
        last = taken;
        return still > 10;
      },
      { what: 'the line to be full', deadlineMs: 5_000 },
    );
    expect(taken).toBeLessThan(40 * MiB);
    const [reader] = readers;
    if (reader === undefined) throw new Error('nobody reads');
    expect((await readAll(reader)).length).toBe(size);
  });

  test('cuts all connections at once, on both sides, and takes new ones', async () => {
    const oneWayMs = 300;
    const ended: Promise<unknown>[] = [];
    const server = await serverThat((socket) => {
      ended.push(once(socket, 'close'));
      echo(socket);
    });
    const proxy = await proxyTo(server, 2 * oneWayMs);
    const sockets = [dial(proxy), dial(proxy)];
    await Promise.all(sockets.map(roundTrip));
    const closed = sockets.map((socket) => once(socket.resume(), 'close'));
    // Half open as they are, they say goodbye for themselves.
    for (const socket of sockets) socket.once('end', () => socket.end());
    const began = performance.now();
    expect(proxy.cut()).toBe(2);
    await Promise.all([...closed, ...ended]);
    expect(performance.now() - began).toBeLessThan(oneWayMs);
    await roundTrip(dial(proxy));
  });

  test.each(['to-server', 'to-client'] as const)('cuts after so many bytes %s, to the byte', async (way) => {
    let arrived = 0;
    const server = await serverThat((socket) => {
      socket.on('data', (chunk: Buffer) => (arrived += chunk.length));
      if (way === 'to-client') socket.write(Buffer.alloc(4 * MiB));
      socket.on('end', () => socket.end());
    });
    const proxy = await proxyTo(server, 6);
    const cut = proxy.cutAfter(1_234_567, way);
    const socket = dial(proxy);
    let received = 0;
    socket.on('data', (chunk: Buffer) => (received += chunk.length));
    if (way === 'to-server') socket.write(Buffer.alloc(4 * MiB));
    await cut;
    expect(proxy.carried(way)).toBe(1_234_567);
    const seen = (): number => (way === 'to-server' ? arrived : received);
    await eventually(() => seen() === 1_234_567, { what: 'what came out to arrive', deadlineMs: 5_000 });
    // Only once: the next connection is whole.
    await eventually(() => socket.destroyed || socket.readableEnded, { what: 'the end', deadlineMs: 5_000 });
    const next = dial(proxy);
    next.resume();
    if (way === 'to-server') next.end(Buffer.alloc(2 * MiB));
    const wanted = 1_234_567 + (way === 'to-server' ? 2 * MiB : 4 * MiB);
    await eventually(() => seen() === wanted || proxy.carried(way) === wanted, {
      what: 'the rest',
      deadlineMs: 5_000,
    });
  });

  test('lets nothing through while it is frozen, and everything afterwards', async () => {
    let reached = 0;
    const server = await serverThat((socket) => {
      reached += 1;
      echo(socket);
    });
    const proxy = await proxyTo(server, 2);
    const socket = dial(proxy);
    await roundTrip(socket);
    const before = proxy.carried('to-server');
    proxy.freeze();
    const answer = roundTrip(socket);
    const late = roundTrip(dial(proxy));
    const other = await proxyTo(await serverThat(echo), 100);
    // Something that takes longer than an answer would have.
    await roundTrip(dial(other));
    expect([proxy.carried('to-server'), reached]).toEqual([before, 1]);
    proxy.thaw();
    expect(await answer).toBeGreaterThan(100);
    expect(await late).toBeGreaterThan(100);
  });

  test('tells a client of a server that is not there by its end', async () => {
    const proxy = await proxyTo({ address: '127.0.0.1', port: 1 }, 2);
    const socket = dial(proxy);
    socket.resume();
    socket.once('end', () => socket.end());
    await once(socket, 'close');
    expect(proxy.carried('to-client')).toBe(0);
  });
});
