import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { CacheAccess } from '../../../shared/contracts/service-config-cache.ts';
import { parseDeploymentId, parseHostName } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';
import { basicAuthorization, createHttpTarget } from '../../../worker/cache/http-target.ts';
import { createPublisher, type Publish } from '../../../worker/cache/publisher.ts';
import { targetOf } from '../../../worker/cache/start-cache.ts';
import { parseNarinfo } from '../../../worker/nix/narinfo.ts';
import { createNix } from '../../../worker/nix/nix.ts';
import { isSignedBy, signPath } from '../../../worker/nix/signing.ts';
import { startPusher, type StartedPusher } from '../../../worker/push/start-pusher.ts';
import { createSsh } from '../../../worker/ssh/ssh.ts';
import { startCacheServer, s3Gate, type CacheServer, type Gate } from '../../support/cache-server.ts';
import { closureOf } from '../../support/closures.ts';
import { startLoopbackHost } from '../../support/loopback-host.ts';
import { createWorkshop, recordingContext, type Workshop } from '../../support/nix-workshop.ts';
import type { Closure } from '../../support/private-store.ts';

const options = { signal: undefined, deadlineMs: 60_000 };
const key = parseSigningKey(generateSigningKey('fleet.example.org-1'));
const s3Keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a/secret+key', sessionToken: 'for/a+while=' };
const region = 'eu-central-1';

let workshop: Workshop;
let system: Closure;
let pusher: StartedPusher;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  workshop = await createWorkshop();
  system = await closureOf(
    workshop,
    { kind: 'system', paths: 30, bytes: 3e6 },
    { seed: 'publish', round: '1' },
  );
  const { store, storeRoot, folder } = workshop;
  const ssh = createSsh({ keyFiles: [] });
  pusher = await startPusher({ ssh, store, storeRoot, folder: join(folder, 'archives'), maxBytes: 1e9 });
  return async () => {
    await pusher.close();
    ssh.close();
  };
});
afterAll(() => workshop?.close());
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const publisherTo = (access: CacheAccess, by = key): Publish =>
  createPublisher({
    target: targetOf(access),
    store: workshop.store,
    archives: pusher.archives,
    sign: (info) => [signPath(by, info)],
    isSigned: (info) => isSignedBy(publicKeyOf(by), info),
  });

async function server(gate?: Gate): Promise<CacheServer> {
  const started = await startCacheServer(gate);
  closers.push(() => started.close());
  return started;
}

let stores = 0;

/** Has a stock Nix take the closure from a cache, which checks signatures and contents. */
async function expectTaken(from: string): Promise<void> {
  stores += 1;
  const store = `local?root=${join(workshop.folder, `store-${stores}`)}`;
  const config = { ...workshop.nixConfig, store, 'trusted-public-keys': publicKeyOf(key) };
  const home = join(workshop.folder, `home-${stores}`);
  const nix = createNix({ run: createRun(), settings: { config, home, environment: {} } });
  const { code, stderrTail } = await nix.run(['nix', 'copy', '--from', from, system.root], options);
  expect(code, stderrTail).toBe(0);
  const verified = await nix.run(['nix', 'store', 'verify', '--recursive', system.root], options);
  expect(verified.code, verified.stderrTail).toBe(0);
}

describe('a closure is published', () => {
  test('to a folder, and taken from there by a stock Nix', async () => {
    const folder = join(workshop.folder, 'folder-cache');
    const context = recordingContext();
    await publisherTo({ kind: 'folder', folder })([system.root], context);
    expect(context.lines).toEqual([expect.stringMatching(new RegExp(`^published ${system.paths} paths, `))]);
    await expectTaken(`file://${folder}`);
  });

  test('to a server that takes PUT with a password, and taken from there by a stock Nix', async () => {
    const password = `Basic ${Buffer.from('varve:secret').toString('base64')}`;
    const { url } = await server(({ headers }) => headers.authorization === password);
    const credentials = { username: 'varve', password: 'secret' };
    await publisherTo({ kind: 'http', url, credentials })([system.root], recordingContext());
    await expectTaken(url);
  });

  test('to a bucket whose server checks every signature, and taken from there by a stock Nix', async () => {
    const { url, put } = await server(s3Gate({ ...s3Keys, region }));
    await publisherTo({ kind: 's3', url: `${url}/bucket`, region, keys: s3Keys })(
      [system.root],
      recordingContext(),
    );
    expect(put).toHaveLength(1 + 2 * system.paths);
    await expectTaken(`${url}/bucket`);
  });

  test('not to a bucket with the wrong secret: the failure says so', async () => {
    const { url, put } = await server(s3Gate({ ...s3Keys, region }));
    const keys = { ...s3Keys, secretAccessKey: 'another' };
    const publish = publisherTo({ kind: 's3', url: `${url}/bucket`, region, keys });
    await expect(publish([system.root], recordingContext())).rejects.toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringContaining('answers 403') as string,
    });
    expect(put).toEqual([]);
  });

  test('so that whoever finds a path finds all that it references, and its archive', async () => {
    const { url, put, files } = await server();
    await publisherTo({ kind: 'http', url, credentials: undefined })([system.root], recordingContext());
    const before = new Set<string>();
    let narinfos = 0;
    for (const name of put) {
      if (name.endsWith('.narinfo')) {
        narinfos += 1;
        const { info, url: nar, fileSize } = parseNarinfo(files.get(name)?.toString() ?? '');
        expect([...before]).toContain(nar);
        expect(fileSize).toBe(files.get(nar)?.length);
        for (const path of info.references) {
          if (path !== info.path) expect([...before]).toContain(`${path.slice(11, 43)}.narinfo`);
        }
      }
      before.add(name);
    }
    expect(narinfos).toBe(system.paths);
  });
});

describe('what a cache has', () => {
  test('is asked for, and not sent again; of what is gone only that is', async () => {
    const { url, put, files, requests } = await server();
    const access = { kind: 'http', url, credentials: undefined } as const;
    await publisherTo(access)([system.root], recordingContext());
    put.length = 0;
    requests.length = 0;
    await publisherTo(access)([system.root], recordingContext());
    expect(put).toEqual([]);
    expect(requests).toHaveLength(1 + system.paths);

    const narinfo = `${system.root.slice(11, 43)}.narinfo`;
    files.delete(narinfo);
    await publisherTo(access)([system.root], recordingContext());
    expect(put).toEqual([narinfo]);
  });

  test('is said anew where only another key has signed it, and keeps that signature', async () => {
    const { url, put, files } = await server();
    const access = { kind: 'http', url, credentials: undefined } as const;
    const other = parseSigningKey(generateSigningKey('another.example.org-1'));
    await publisherTo(access, other)([system.root], recordingContext());
    put.length = 0;
    await publisherTo(access)([system.root], recordingContext());
    expect(put).toHaveLength(system.paths);
    expect(put.filter((name) => !name.endsWith('.narinfo'))).toEqual([]);
    for (const name of put) {
      const { info } = parseNarinfo(files.get(name)?.toString() ?? '');
      expect([key, other].map((each) => isSignedBy(publicKeyOf(each), info))).toEqual([true, true]);
    }
    await expectTaken(url);
  });

  test.each([
    ['broken off', (whole: Buffer) => whole.subarray(0, 100)],
    [
      'of another path',
      (whole: Buffer) => Buffer.from(whole.toString().replace(/^StorePath: .*/, 'StorePath: x')),
    ],
    [
      'of other contents',
      (whole: Buffer) => Buffer.from(whole.toString().replace(/^NarSize: .*/m, 'NarSize: 1')),
    ],
  ])('is said anew where what is said of it is %s', async (_, damage) => {
    const { url, put, files } = await server();
    const access = { kind: 'http', url, credentials: undefined } as const;
    await publisherTo(access)([system.root], recordingContext());
    const narinfo = `${system.root.slice(11, 43)}.narinfo`;
    files.set(narinfo, damage(files.get(narinfo) ?? Buffer.alloc(0)));
    put.length = 0;
    await publisherTo(access)([system.root], recordingContext());
    expect(put).toEqual([narinfo]);
    await expectTaken(url);
  });

  test('is not even asked for by whoever has just put it there', async () => {
    const { url, requests } = await server();
    const publish = publisherTo({ kind: 'http', url, credentials: undefined });
    await publish([system.root], recordingContext());
    requests.length = 0;
    const context = recordingContext();
    await publish([system.root], context);
    expect([requests, context.lines]).toEqual([[], []]);
  });

  test('is sent once for all hosts that come together', async () => {
    const { url, put } = await server();
    const publish = publisherTo({ kind: 'http', url, credentials: undefined });
    await Promise.all(Array.from({ length: 5 }, () => publish([system.root], recordingContext())));
    expect(put).toHaveLength(new Set(put).size);
    expect(put).toHaveLength(1 + 2 * system.paths);
  });
});

describe('a cache that does not work', () => {
  test('is not asked for every path of the closure', async () => {
    let puts = 0;
    const { url, requests } = await server(({ method }) => method !== 'PUT' || (puts += 1) <= 3);
    const publish = publisherTo({ kind: 'http', url, credentials: undefined });
    await expect(publish([system.root], recordingContext())).rejects.toMatchObject({
      code: 'PUSH_FAILED',
      disposition: 'transient',
      message: expect.stringMatching(/does not take .*: it answers 403/) as string,
    });
    const refused = requests.filter((request) => request.startsWith('PUT ')).length - 3;
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThanOrEqual(4);
    // What failed is tried again the next time.
    puts = -Infinity;
    await publish([system.root], recordingContext());
    await expectTaken(url);
  });

  test('is a failure that says what is wrong, where nobody answers', async () => {
    const { url, close } = await server();
    await close();
    const publish = publisherTo({ kind: 'http', url, credentials: undefined });
    await expect(publish([system.root], recordingContext())).rejects.toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  test('is given up when it takes connections and says nothing', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closers.push(() => silent.close());
    const address = silent.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const target = createHttpTarget({ url, authorize: basicAuthorization(undefined), answerMs: 300 });
    const { store } = workshop;
    const { archives } = pusher;
    const publish = createPublisher({ target, store, archives, sign: () => [], isSigned: () => true });
    await expect(publish([system.root], recordingContext())).rejects.toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringContaining('timeout') as string,
    });
  });

  test('holds nobody up who does not want it any more', async () => {
    const leave = new AbortController();
    const { url } = await server(() => {
      leave.abort();
      return true;
    });
    const publish = publisherTo({ kind: 'http', url, credentials: undefined });
    await expect(publish([system.root], recordingContext(leave.signal))).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });

  test('in a folder that cannot be written says so', async () => {
    const file = join(workshop.folder, 'file');
    await writeFile(file, '');
    await expect(
      publisherTo({ kind: 'folder', folder: file })([system.root], recordingContext()),
    ).rejects.toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringContaining(file) as string,
    });
  });
});

test('a host with the cache among its substituters fetches all of what was published, and is sent nothing', async () => {
  const folder = join(workshop.folder, 'hosts-cache');
  await publisherTo({ kind: 'folder', folder })([system.root], recordingContext());
  const host = await startLoopbackHost({
    folder: join(workshop.folder, 'host'),
    nixConfig: { substituters: `file://${folder}`, 'trusted-public-keys': publicKeyOf(key) },
  });
  closers.push(() => host.stop());
  const ssh = createSsh({ keyFiles: [host.identityFile] });
  closers.push(() => ssh.close());
  const { store, storeRoot } = workshop;
  const archives = join(workshop.folder, 'host-archives');
  const { push, close } = await startPusher({ ssh, store, storeRoot, folder: archives, maxBytes: 1e9 });
  closers.push(close);
  const pushed = await push.push(
    {
      host: parseHostName('web1'),
      deployment: parseDeploymentId('d000001'),
      connection: host.connection,
      paths: new Map([['toplevel', system.root]]),
      deadlineMs: 60_000,
      substitute: true,
    },
    recordingContext(),
  );
  expect(pushed.paths).toBe(0);
  const requisites = await host.inside('nix-store', '--query', '--requisites', system.root);
  expect(requisites.split('\n')).toHaveLength(system.paths);
  await rm(folder, { recursive: true });
});
