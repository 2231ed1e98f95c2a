import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, describe, expect, test } from 'vitest';

import { createBinaryCache, narUrl } from '../../../../worker/cache/binary-cache.ts';
import type { CacheLimits } from '../../../../worker/cache/limits.ts';
import type { ArchivePiece } from '../../../../worker/push/archive.ts';
import { eventually } from '../../../support/eventually.ts';
import { infoOf } from '../push/path-infos.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const info = infoOf(1);
const pieceBytes = 256 * 1024;
const piece: ArchivePiece = { length: pieceBytes, frame: Buffer.alloc(pieceBytes, 'x') };
/** More than the two ends of a connection hold. */
const pieces = 200;

type Pieces = (key: unknown, signal: AbortSignal) => AsyncGenerator<ArchivePiece>;

async function* atOnce(): AsyncGenerator<ArchivePiece> {
  for (let i = 0; i < pieces; i += 1) yield piece;
}

async function serve(limits: Partial<CacheLimits>, all: Pieces = atOnce): Promise<URL> {
  const cache = createBinaryCache({
    served: { byDigest: async () => info, byNarHash: async () => info },
    archives: { pieces: all },
    sign: () => [],
    log: { warn: () => {} },
    limits,
  });
  closers.push(() => cache.close());
  return new URL(narUrl(info), `${await cache.listen({ address: '127.0.0.1', port: 0 })}/`);
}

function open({ hostname, port }: URL): Socket {
  const socket = connect(Number(port), hostname);
  closers.push(() => socket.destroy());
  socket.on('error', () => {});
  return socket;
}

async function asked(url: URL): Promise<IncomingMessage> {
  const request = get(url);
  closers.push(() => request.destroy());
  const [answer] = await once(request, 'response');
  return answer as IncomingMessage;
}

describe('a connection is ended', () => {
  test('on which nothing is said', async () => {
    const socket = open(await serve({ requestMs: 200 }));
    await once(socket.resume(), 'close');
  });

  test('on which a request does not come to its end', async () => {
    const socket = open(await serve({ requestMs: 200 }));
    socket.write('GET /nix-cache-info HTTP/1.1\r\n');
    await once(socket.resume(), 'close');
  });

  test('that is not used again after an answer', async () => {
    const socket = open(await serve({ idleMs: 200 }));
    socket.write('GET /nix-cache-info HTTP/1.1\r\nHost: cache\r\n\r\n');
    await once(socket.resume(), 'close');
  });

  test('whose other end takes nothing of an archive, which is given up then', async () => {
    let tell = (): void => {};
    const given = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const url = await serve({ stallMs: 300 }, async function* (_, signal) {
      signal.addEventListener('abort', () => tell(), { once: true });
      for (;;) yield piece;
    });
    const answer = await asked(url);
    expect(answer.statusCode).toBe(200);
    await given;
  });
});

describe('an archive comes whole', () => {
  test('to one who takes it slowly, for as long as it takes some of it', async () => {
    const stallMs = 400;
    const url = await serve({ stallMs });
    const began = performance.now();
    let bytes = 0;
    let taken = 0;
    for await (const chunk of await asked(url)) {
      bytes += (chunk as Buffer).length;
      taken += (chunk as Buffer).length;
      // A line of so many bytes a second.
      if (taken < 1024 * 1024) continue;
      taken = 0;
      await pause(40);
    }
    expect(bytes).toBe(pieces * pieceBytes);
    expect(performance.now() - began).toBeGreaterThan(3 * stallMs);
  });

  test('to one who has to wait until it is made', async () => {
    const stallMs = 200;
    const url = await serve({ stallMs }, async function* () {
      await pause(3 * stallMs);
      yield piece;
      await pause(3 * stallMs);
      yield piece;
    });
    let bytes = 0;
    for await (const chunk of await asked(url)) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(2 * pieceBytes);
  });
});

test('connections that are too many are refused, and welcome when others have ended', async () => {
  const url = await serve({ connections: 2 });
  const first = open(url);
  const second = open(url);
  await Promise.all([once(first, 'connect'), once(second, 'connect')]);
  await once(open(url).resume(), 'close');
  first.destroy();
  const answer = await eventually(() => asked(new URL('/nix-cache-info', url)), {
    what: 'an answer',
    deadlineMs: 5_000,
  });
  expect(answer.statusCode).toBe(200);
});
