import { createServer } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { parseDeploymentId, parseHostName } from '../../../shared/domain/names.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';
import { startPusher } from '../../../worker/push/start-pusher.ts';
import type { Pushed, PushRequest } from '../../../worker/push/push.ts';
import { createSsh } from '../../../worker/ssh/ssh.ts';
import { closureOf } from '../../support/closures.ts';
import { startLoopbackHost } from '../../support/loopback-host.ts';
import { createWorkshop, recordingContext, type Workshop } from '../../support/nix-workshop.ts';
import type { Closure } from '../../support/private-store.ts';

const secret = generateSigningKey('cache.example.org-1');
const publicKey = publicKeyOf(parseSigningKey(secret));

let workshop: Workshop;
let closure: Closure;
/** A cache in a folder that has all of the closure but its root, signed. */
let cache: string;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  workshop = await createWorkshop();
  closure = await closureOf(workshop, { kind: 'tiny', paths: 5 }, { seed: 'substitutes', round: '1' });
  const keyFile = join(workshop.folder, 'secret');
  await writeFile(keyFile, secret);
  cache = `file://${join(workshop.folder, 'cache')}`;
  const all = await workshop.store.closure([closure.root], { signal: undefined });
  const leaves = all.map(({ path }) => path).filter((path) => path !== closure.root);
  const { code, stderrTail } = await workshop.nix.run(
    ['nix', 'copy', '--to', `${cache}?secret-key=${keyFile}`, ...leaves],
    { signal: undefined, deadlineMs: 60_000 },
  );
  if (code !== 0) throw new Error(stderrTail);
});
afterAll(() => workshop?.close());
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

let hosts = 0;

/** Pushes the closure to a new host. */
async function pushed(
  nixConfig: Readonly<Record<string, string>>,
  substitute?: boolean,
): Promise<{ readonly pushed: Pushed; readonly valid: number }> {
  const { push, host } = await pusherTo(nixConfig);
  const done = await push(substitute === undefined ? {} : { substitute });
  const requisites = await host.inside('nix-store', '--query', '--requisites', closure.root);
  return { pushed: done, valid: requisites.split('\n').length };
}

/** What pushes the closure to a new host. */
async function pusherTo(nixConfig: Readonly<Record<string, string>>) {
  hosts += 1;
  const folder = join(workshop.folder, `host-${hosts}`);
  const host = await startLoopbackHost({ folder, nixConfig });
  closers.push(() => host.stop());
  const ssh = createSsh({ keyFiles: [host.identityFile], connectDeadlineMs: 3_000 });
  closers.push(() => ssh.close());
  const { store, storeRoot } = workshop;
  const archives = join(workshop.folder, `archives-${hosts}`);
  await mkdir(archives);
  const pusher = await startPusher({ ssh, store, storeRoot, folder: archives, maxBytes: 1e9 });
  closers.push(() => pusher.close());
  const push = (how: Pick<PushRequest, 'substitute'> & { readonly deadlineMs?: number }): Promise<Pushed> =>
    pusher.push.push(
      {
        host: parseHostName('web1'),
        deployment: parseDeploymentId('d000001'),
        connection: host.connection,
        paths: new Map([['toplevel', closure.root]]),
        deadlineMs: 60_000,
        ...how,
      },
      recordingContext(),
    );
  return { push, host };
}

describe('a host with a cache that has a part of the closure', () => {
  test('fetches that part where it is asked to, and is sent the rest', async () => {
    const done = await pushed({ substituters: cache, 'trusted-public-keys': publicKey }, true);
    expect(done.pushed.paths).toBe(1);
    expect(done.valid).toBe(closure.paths);
  });

  test('is sent all of it where it is not asked to', async () => {
    const done = await pushed({ substituters: cache, 'trusted-public-keys': publicKey });
    expect(done.pushed.paths).toBe(closure.paths);
  });

  test('takes nothing from there whose signature it does not trust, and is sent it', async () => {
    const done = await pushed({ substituters: cache, 'trusted-public-keys': '' }, true);
    expect(done.pushed.paths).toBe(closure.paths);
    expect(done.valid).toBe(closure.paths);
  });
});

test('a host whose cache is not there is sent all of it', async () => {
  const done = await pushed({ substituters: 'http://127.0.0.1:9', 'trusted-public-keys': publicKey }, true);
  expect(done.pushed.paths).toBe(closure.paths);
  expect(done.valid).toBe(closure.paths);
});

test('a host whose cache accepts connections and says nothing is sent all of it, once it is not asked any more', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  closers.push(() => silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { push } = await pusherTo({
    substituters: `http://127.0.0.1:${port}`,
    'trusted-public-keys': publicKey,
  });
  await expect(push({ substitute: true, deadlineMs: 4_000 })).rejects.toMatchObject({
    code: 'PUSH_FAILED',
    disposition: 'transient',
  });
  expect((await push({})).paths).toBe(closure.paths);
});
