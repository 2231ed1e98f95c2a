import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { StorePath } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';
import { createBinaryCache, narUrl, type BinaryCacheDeps } from '../../../worker/cache/binary-cache.ts';
import { createServed } from '../../../worker/cache/served.ts';
import { archiveOf } from '../../../worker/nix/nar.ts';
import { parseNarinfo } from '../../../worker/nix/narinfo.ts';
import { createNix, type Nix, type NixResult } from '../../../worker/nix/nix.ts';
import { signPath, verifySignature } from '../../../worker/nix/signing.ts';
import type { ArchivePiece } from '../../../worker/push/archive.ts';
import { createArchives, type Archives } from '../../../worker/push/archives.ts';
import { createCompressor } from '../../../worker/push/compressor.ts';
import { storedFrame } from '../../../worker/push/zstd-frame.ts';
import { closureOf } from '../../support/closures.ts';
import { startLoopbackHost } from '../../support/loopback-host.ts';
import { createWorkshop, type Workshop } from '../../support/nix-workshop.ts';
import type { Closure } from '../../support/private-store.ts';

const options = { signal: undefined, deadlineMs: 60_000 };
const key = parseSigningKey(generateSigningKey('fleet.example.org-1'));
const digestOf = (path: string): string => path.slice('/nix/store/'.length).slice(0, 32);

let workshop: Workshop;
let archives: Archives;
let archivesFolder: string;
/** Delivered to a host. */
let system: Closure;
/** In the worker's store, and of no system. */
let other: Closure;
let url: string;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  workshop = await createWorkshop();
  system = await closureOf(
    workshop,
    { kind: 'system', paths: 30, bytes: 3e6 },
    { seed: 'cache', round: '1' },
  );
  other = await closureOf(workshop, { kind: 'tiny', paths: 2 }, { seed: 'cache', round: '2' });
  const compressor = createCompressor({ threads: 2 });
  const source = { read: (path: string) => archiveOf(join(workshop.storeRoot, path)) };
  archivesFolder = join(workshop.folder, 'archives');
  archives = await createArchives({ source, compressor, folder: archivesFolder, maxBytes: 1e9 });
  await rootFor('web1', system.root);
  // What an evaluation roots is not what hosts get.
  await workshop.roots.put(['releases', 'r1'], 'web1', other.root);
  return async () => {
    await archives.close();
    await compressor.close();
  };
});
afterAll(() => workshop?.close());
beforeEach(async () => {
  url = await serve();
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const rootFor = (host: string, path: StorePath) =>
  workshop.roots.put(['hosts', host], path.slice('/nix/store/'.length), path);

async function serve(deps: Partial<BinaryCacheDeps> = {}): Promise<string> {
  const cache = createBinaryCache({
    served: createServed({ roots: workshop.roots, store: workshop.store }),
    archives,
    sign: (info) => [signPath(key, info)],
    log: { warn: () => {} },
    ...deps,
  });
  closers.push(() => cache.close());
  return cache.listen({ address: '127.0.0.1', port: 0 });
}

let stores = 0;
/** Nix with a new store, which takes from others only what our key has signed. */
function newStore(): Nix {
  stores += 1;
  const config = {
    ...workshop.nixConfig,
    store: `local?root=${join(workshop.folder, `store-${stores}`)}`,
    'trusted-public-keys': publicKeyOf(key),
  };
  const home = join(workshop.folder, `home-${stores}`);
  return createNix({ run: createRun(), settings: { config, home, environment: {} } });
}

const copyTo = (nix: Nix, path: StorePath, from = url): Promise<NixResult> =>
  nix.run(['nix', 'copy', '--from', from, path], options);

async function archive(path: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveOf(join(workshop.storeRoot, path))) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("the worker's closures, over HTTP", () => {
  test('are taken by a stock Nix, which checks signatures and contents', async () => {
    const nix = newStore();
    const { code, stderrTail } = await copyTo(nix, system.root);
    expect(code, stderrTail).toBe(0);
    const verified = await nix.run(['nix', 'store', 'verify', '--recursive', system.root], options);
    expect(verified.code, verified.stderrTail).toBe(0);
    const all = await nix.run(['nix', 'path-info', '--recursive', system.root], options);
    expect(all.stdout.toString('utf8').trim().split('\n')).toHaveLength(system.paths);
  });

  test('are what a host substitutes that has the worker among its substituters', async () => {
    const host = await startLoopbackHost({
      folder: join(workshop.folder, 'host'),
      nixConfig: { substituters: url, 'trusted-public-keys': publicKeyOf(key) },
    });
    closers.push(() => host.stop());
    await host.inside('nix-store', '--realise', system.root);
    const requisites = await host.inside('nix-store', '--query', '--requisites', system.root);
    expect(requisites.split('\n')).toHaveLength(system.paths);
  });

  test('are not taken by a host that trusts another key', async () => {
    const wrong = parseSigningKey(generateSigningKey(key.name));
    const from = await serve({ sign: (info) => [signPath(wrong, info)] });
    const { code, stderrTail } = await copyTo(newStore(), system.root, from);
    expect(code).not.toBe(0);
    expect(stderrTail).toMatch(/lacks a (valid )?signature|signature by a trusted key/);
  });

  test('are not taken where the line has changed an archive', async () => {
    async function* pieces(): AsyncGenerator<ArchivePiece> {
      const bytes = Buffer.from((await archive(other.root)).toString('latin1').replace('cache/2', 'cache/3'));
      yield { length: bytes.length, frame: storedFrame(bytes) };
    }
    const from = await serve({ archives: { pieces } });
    const { code, stderrTail } = await copyTo(newStore(), system.root, from);
    expect(code).not.toBe(0);
    expect(stderrTail).toMatch(/hash mismatch/);
  });

  test('are there as soon as they are rooted, also for whoever has asked before', async () => {
    const late = await closureOf(workshop, { kind: 'tiny', paths: 3 }, { seed: 'cache', round: 'late' });
    const narinfo = `${url}/${digestOf(late.root)}.narinfo`;
    expect((await fetch(narinfo)).status).toBe(404);
    await rootFor('web2', late.root);
    expect((await fetch(narinfo)).status).toBe(200);
  });

  test('are read anew from the store where the kept archive is damaged on the disk', async () => {
    const [info] = await workshop.store.closure([system.root], options);
    if (info === undefined) throw new Error('it has a root');
    const get = async (): Promise<Buffer> => {
      const { url: nar } = parseNarinfo(await text(`${digestOf(info.path)}.narinfo`));
      return Buffer.from(await (await fetch(`${url}/${nar}`)).arrayBuffer());
    };
    await get();
    const kept = join(archivesFolder, info.narHash);
    const bytes = await readFile(kept);
    await writeFile(kept, bytes.fill(0, 20, 40));
    expect(await unpacked(await get())).toEqual(await archive(info.path));
  });
});

async function unpacked(bytes: Buffer): Promise<Buffer> {
  const result = await createRun()(['zstd', '-dcq'], { input: bytes, deadlineMs: 10_000 });
  return result.stdout;
}

async function text(file: string): Promise<string> {
  const answer = await fetch(`${url}/${file}`);
  expect(answer.status, file).toBe(200);
  return answer.text();
}

describe('an answer', () => {
  test('says what kind of cache it is', async () => {
    expect(await text('nix-cache-info')).toBe('StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 50\n');
  });

  test('says of a path what the store knows, with our signature', async () => {
    const { info, url: nar, compression } = parseNarinfo(await text(`${digestOf(system.root)}.narinfo`));
    const [known] = await workshop.store.closure([system.root], options);
    expect(info).toMatchObject({ path: system.root, narHash: known?.narHash, narSize: known?.narSize });
    expect(info.references.toSorted()).toEqual(known?.references.toSorted());
    expect(info.signatures.some((each) => verifySignature(publicKeyOf(key), info, each))).toBe(true);
    expect(compression).toBe('zstd');
    expect(nar).toMatch(/^nar\/[0-9a-z]{52}\.nar\.zst$/);
  });

  test('to HEAD is that to GET without its body', async () => {
    const { url: nar } = parseNarinfo(await text(`${digestOf(system.root)}.narinfo`));
    for (const file of ['nix-cache-info', `${digestOf(system.root)}.narinfo`, nar]) {
      const [head, get] = [await fetch(`${url}/${file}`, { method: 'HEAD' }), await fetch(`${url}/${file}`)];
      expect(head.status, file).toBe(200);
      expect(head.headers.get('content-type'), file).toBe(get.headers.get('content-type'));
      expect((await head.arrayBuffer()).byteLength).toBe(0);
      expect((await get.arrayBuffer()).byteLength).toBeGreaterThan(0);
    }
    const missing = await fetch(`${url}/${digestOf(other.root)}.narinfo`, { method: 'HEAD' });
    expect(missing.status).toBe(404);
  });

  test('is "not found" for what is valid here, but of no system that is delivered', async () => {
    const [info] = await workshop.store.closure([other.root], options);
    expect(await workshop.store.invalid([other.root], options)).toEqual(new Set());
    const { url: nar } = parseNarinfo(await text(`${digestOf(system.root)}.narinfo`));
    for (const file of [
      `${digestOf(other.root)}.narinfo`,
      nar.replace(/[^/]{52}/, '0'.repeat(52)),
      narUrl({ narHash: info?.narHash ?? '' }),
      `${digestOf('/nix/store/00000000000000000000000000000000-none')}.narinfo`,
    ]) {
      expect((await fetch(`${url}/${file}`)).status, file).toBe(404);
    }
  });

  test.each([
    '/',
    '/nar/',
    '/../../../../etc/passwd',
    '/nar/../../../etc/passwd',
    '/nar/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '/%2fetc%2fpasswd.narinfo',
    '/__proto__.narinfo',
    '/nix/store',
    '/log/x.drv',
  ])('to %s is "not found", and tells nothing', async (path) => {
    const { status, body } = await raw(path);
    expect([status, body]).toEqual([404, 'there is nothing at this path\n']);
  });

  test.each(['PUT', 'POST', 'DELETE'])('to %s is none: nothing can be written', async (method) => {
    expect((await fetch(`${url}/${digestOf(system.root)}.narinfo`, { method })).status).toBe(404);
  });
});

/** As it is: `fetch` would tidy the path up. */
function raw(path: string): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    })
      .on('error', reject)
      .end();
  });
}

test('an archive that cannot be made is an error, or breaks off: nobody takes a part for the whole', async () => {
  const { url: nar } = parseNarinfo(await text(`${digestOf(system.root)}.narinfo`));
  const failing = (good: number) => ({
    async *pieces(): AsyncGenerator<ArchivePiece> {
      for (let i = 0; i < good; i += 1) yield { length: 1, frame: storedFrame(Buffer.from('x')) };
      throw new Error('damaged, at /secret/place');
    },
  });
  // Whoever only asks whether it is there has none made.
  const from = await serve({ archives: failing(0) });
  expect((await fetch(`${from}/${nar}`, { method: 'HEAD' })).status).toBe(200);
  const atOnce = await fetch(`${from}/${nar}`);
  expect([atOnce.status, await atOnce.text()]).toEqual([500, 'this cannot be had now\n']);
  const later = await fetch(`${await serve({ archives: failing(3) })}/${nar}`);
  await expect(later.arrayBuffer()).rejects.toThrow('terminated');
});

test('an archive that nobody waits for any more is not made to its end', async () => {
  const { url: nar } = parseNarinfo(await text(`${digestOf(system.root)}.narinfo`));
  let tell = (): void => {};
  const given = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const pieces = async function* (_: unknown, signal: AbortSignal): AsyncGenerator<ArchivePiece> {
    signal.addEventListener('abort', () => tell(), { once: true });
    for (;;) yield { length: 262_144, frame: storedFrame(Buffer.alloc(262_144)) };
  };
  const leave = new AbortController();
  const answer = await fetch(`${await serve({ archives: { pieces } })}/${nar}`, { signal: leave.signal });
  expect(answer.status).toBe(200);
  leave.abort();
  await given;
});
