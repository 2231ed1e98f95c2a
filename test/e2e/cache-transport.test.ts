import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { LogView } from '../../shared/contracts/api-history.ts';
import { startCacheServer, type CacheServer } from '../support/cache-server.ts';
import { varve as command } from '../support/cli-process.ts';
import { expectDesiredSystem } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { freePort } from '../support/ports.ts';
import { outcomesOf } from '../support/varve.ts';

/**
 * One story on one fleet: web1 fetches from a cache that the worker publishes to, web2 from the worker itself. The only
 * other way to either of them is the push, which counts what it sends.
 */
let fleet: Fleet;
let published: CacheServer;
let publicKey: string;
let workerPort: number;
const closers: (() => Promise<unknown>)[] = [];

const password = 'only for those who write';
const files = new Map<string, Buffer>();
let publishedPort: number;

async function startPublished(): Promise<void> {
  const writer = `Basic ${Buffer.from(`varve:${password}`).toString('base64')}`;
  published = await startCacheServer(({ headers }) => headers.authorization === writer, {
    ...{ address: '0.0.0.0', port: publishedPort, files },
  });
}

beforeAll(async () => {
  const secrets = await mkdtemp(join(tmpdir(), 'varve-cache-transport-'));
  closers.push(() => rm(secrets, { recursive: true, force: true }));
  const signingKey = join(secrets, 'signing-key');
  const made = await command(['keygen', 'fleet.example.org-1', '--out', signingKey]);
  if (made.code !== 0) throw new Error(made.stderr);
  publicKey = made.stdout.trim();
  const file = join(secrets, 'cache-password');
  await writeFile(file, password);
  [publishedPort, workerPort] = [await freePort(), await freePort()];
  await startPublished();
  closers.push(() => published.close());
  fleet = await startFleet({
    hosts: ['web1', 'web2'],
    worker: {
      push: { signingKey },
      cache: {
        listen: { address: '0.0.0.0', port: workerPort },
        publish: { url: `http://127.0.0.1:${publishedPort}`, credentials: { username: 'varve', file } },
      },
    },
  });
  closers.push(() => fleet.close());
  await fleet.varve.settle(fleet.first);
});
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

/** What the deployments of a revision sent, by host. */
async function deliveries(revision: string) {
  const outcomes = await outcomesOf(fleet.varve.dataDir, revision);
  return new Map(
    outcomes.map(({ aim: { host, deployment }, phase, delivery }) => [
      String(host),
      { deployment, phase, ...delivery },
    ]),
  );
}

/** Gives both hosts another text to serve. */
async function greet(from: string, to: string): Promise<string> {
  const edits = ['web1', 'web2'].map(async (host) => {
    const path = `hosts/${host}.nix`;
    const text = await fleet.repo.read(path);
    expect(text).toContain(from);
    return [path, text.replace(from, to)] as const;
  });
  return fleet.commit(`Say ${to}`, Object.fromEntries(await Promise.all(edits)));
}

async function logOf(deployment: string | undefined): Promise<string> {
  const { lines } = await fleet.varve.get(`/api/v1/deployments/${deployment}/log`, LogView);
  return lines.map(({ line }) => line).join('\n');
}

const narinfoOf = (path: string | undefined): string => `${path?.slice(11, 43)}.narinfo`;

it('the commit that tells hosts of their caches is published, and pushed to who does not know them yet', async () => {
  const manifest = await fleet.repo.read('varve.yaml');
  const edits: Record<string, string> = {
    'varve.yaml': manifest
      .replace(/^ {2}web1: \{ /m, '$&transport: cache, ')
      .replace(/^ {2}web2: \{ /m, '$&substituteOnHost: true, '),
  };
  for (const [host, port] of [
    ['web1', publishedPort],
    ['web2', workerPort],
  ] as const) {
    const path = `hosts/${host}.nix`;
    const settings = [
      `nix.substituters = [ "http://${fleet.lab.gateway}:${port}" ];`,
      `nix.trustedPublicKeys = [ "${publicKey}" ];`,
    ];
    edits[path] = (await fleet.repo.read(path)).replace(/\}\s*$/, `  ${settings.join('\n  ')}\n}\n`);
  }
  const revision = await fleet.commit('Caches for both', edits);
  await fleet.varve.settle(revision);
  for (const host of ['web1', 'web2']) {
    await expectDesiredSystem(fleet, host);
    expect((await deliveries(revision)).get(host)?.pushedPaths).toBeGreaterThan(0);
  }
  expect([...files.keys()]).toContain(narinfoOf((await fleet.varve.host('web1')).desired));
  expect([...files.keys()]).not.toContain(narinfoOf((await fleet.varve.host('web2')).desired));
});

it('the next commit is fetched by both, and nothing of it is pushed', async () => {
  published.requests.length = 0;
  const revision = await greet('hello from', 'good morning from');
  await fleet.varve.settle(revision);
  for (const host of ['web1', 'web2']) {
    await expectDesiredSystem(fleet, host);
    const delivery = (await deliveries(revision)).get(host);
    expect(delivery).toMatchObject({ phase: 'succeeded', pushedPaths: 0, pushedBytes: 0 });
    expect(delivery?.builds).toBeGreaterThan(0);
  }
  const narinfo = narinfoOf((await fleet.varve.host('web1')).desired);
  const [, nar] = /^URL: (\S+)$/m.exec(files.get(narinfo)?.toString() ?? '') ?? [];
  expect(published.requests).toContain(`GET ${nar}`);
});

it('while the cache is down, a commit is pushed and confirmed, and its revert goes back without sending anything', async () => {
  const before = await fleet.systems('web1');
  await published.close();
  const revision = await greet('good morning from', 'good evening from');
  await fleet.varve.settle(revision);
  await expectDesiredSystem(fleet, 'web1');
  const pushed = await deliveries(revision);
  expect(pushed.get('web1')?.pushedPaths).toBeGreaterThan(0);
  expect(pushed.get('web2')).toMatchObject({ pushedPaths: 0 });
  expect(await logOf(pushed.get('web1')?.deployment)).toContain(
    'not all is published, the rest is pushed: the cache http://',
  );

  const reverted = await fleet.revert(revision);
  await fleet.varve.settle(reverted);
  expect((await fleet.systems('web1')).current).toBe(before.current);
  for (const host of ['web1', 'web2']) {
    expect((await deliveries(reverted)).get(host)).toMatchObject({ builds: 0, pushedPaths: 0 });
  }
});

it('once it is back, it is published to and fetched from again', async () => {
  await startPublished();
  const revision = await greet('good morning from', 'good night from');
  await fleet.varve.settle(revision);
  await expectDesiredSystem(fleet, 'web1');
  expect((await deliveries(revision)).get('web1')).toMatchObject({ phase: 'succeeded', pushedPaths: 0 });
});
