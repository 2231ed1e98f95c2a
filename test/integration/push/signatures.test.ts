import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { parseDeploymentId, parseHostName } from '../../../shared/domain/names.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';
import { archiveOf } from '../../../worker/nix/nar.ts';
import { signPath } from '../../../worker/nix/signing.ts';
import type { PathInfo } from '../../../worker/nix/store.ts';
import { createPusher, type PusherDeps } from '../../../worker/push/pusher.ts';
import { startPusher } from '../../../worker/push/start-pusher.ts';
import type { Push, Pushed } from '../../../worker/push/push.ts';
import { createSsh, type Ssh } from '../../../worker/ssh/ssh.ts';
import { closureOf } from '../../support/closures.ts';
import { startLoopbackHost, type LoopbackHost } from '../../support/loopback-host.ts';
import { createWorkshop, recordingContext, type Workshop } from '../../support/nix-workshop.ts';
import type { Closure } from '../../support/private-store.ts';

const key = parseSigningKey(generateSigningKey('fleet.example.org-1'));

let workshop: Workshop;
/** Its names do not follow from its contents: only a signature, or trust in whoever brings it, makes it acceptable. */
let closure: Closure;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  workshop = await createWorkshop();
  // Whoever logs in is nobody, and finds the host's configuration there.
  await chmod(workshop.folder, 0o755);
  closure = await closureOf(workshop, { kind: 'tiny', paths: 4 }, { seed: 'signed', round: '1' });
});
afterAll(() => workshop?.close());
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

let hosts = 0;

async function host(): Promise<LoopbackHost & { readonly ssh: Ssh }> {
  hosts += 1;
  const started = await startLoopbackHost({
    folder: join(workshop.folder, `host-${hosts}`),
    untrusted: true,
    nixConfig: { 'trusted-public-keys': publicKeyOf(key) },
  });
  closers.push(() => started.stop());
  const ssh = createSsh({ keyFiles: [started.identityFile], connectDeadlineMs: 3_000 });
  closers.push(() => ssh.close());
  return { ...started, ssh };
}

function pushTo({ connection }: LoopbackHost, push: Push): Promise<Pushed> {
  return push.push(
    {
      host: parseHostName('web1'),
      deployment: parseDeploymentId('d000001'),
      connection,
      paths: new Map([['toplevel', closure.root]]),
      deadlineMs: 60_000,
    },
    recordingContext(),
  );
}

/** Sends archives as they are: nothing but the host looks at them. */
function pusher({ ssh }: { readonly ssh: Ssh }, other: Partial<PusherDeps> = {}): Push {
  return createPusher({
    ssh,
    store: workshop.store,
    source: { read: (path) => archiveOf(join(workshop.storeRoot, path)) },
    archives: {
      has: () => false,
      pieces() {
        throw new Error('nothing is compressed here');
      },
    },
    sign: (info) => [signPath(key, info)],
    settings: { nearMs: Infinity },
    ...other,
  });
}

async function failure(pushed: Promise<unknown>): Promise<unknown> {
  return pushed.then(
    () => 'it did not fail',
    (thrown: unknown) => thrown,
  );
}

/** All that is valid there. */
async function pathsOn(web1: LoopbackHost): Promise<readonly string[]> {
  const all = await web1.inside(...nixCommand, 'path-info', '--all');
  return all.split('\n').filter((line) => line !== '');
}

const nixCommand = ['nix', '--extra-experimental-features', 'nix-command'] as const;

describe('a host that trusts our key, and not the user who logs in', () => {
  test('takes what a worker with that key pushes, and has its signatures', async () => {
    const web1 = await host();
    const folder = join(workshop.folder, 'archives');
    const { ssh } = web1;
    const started = await startPusher({
      ...{ ssh, store: workshop.store, storeRoot: workshop.storeRoot, folder, maxBytes: 1e9 },
      signingKey: key,
    });
    closers.push(() => started.close());
    expect(await pushTo(web1, started.push)).toMatchObject({ paths: closure.paths, bytes: closure.bytes });
    expect(await pathsOn(web1)).toHaveLength(closure.paths);
    // Checked by the host's Nix, not by us.
    await web1.inside(...nixCommand, 'store', 'verify', '--recursive', closure.root);
    expect(await pushTo(web1, started.push)).toMatchObject({ paths: 0 });
  });

  test('takes nothing that is not signed, and the failure says what to do about it', async () => {
    const web1 = await host();
    expect(await failure(pushTo(web1, pusher(web1, { sign: () => [] })))).toMatchObject({
      code: 'PUSH_FAILED',
      disposition: 'stalled',
      message: expect.stringContaining('lacks a signature by a key that the host trusts') as string,
      hint: expect.stringMatching(/varve keygen.*trusted-public-keys/) as string,
    });
    expect(await pathsOn(web1)).toEqual([]);
  });

  test('takes nothing that is signed with another key of the same name', async () => {
    const web1 = await host();
    const other = parseSigningKey(generateSigningKey(key.name));
    const push = pusher(web1, { sign: (info) => [signPath(other, info)] });
    expect(await failure(pushTo(web1, push))).toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringContaining('lacks a signature') as string,
    });
    expect(await pathsOn(web1)).toEqual([]);
  });

  test('takes no path that refers to others than what was signed', async () => {
    const web1 = await host();
    const signedOf = (info: PathInfo) => [signPath(key, { ...info, references: [] })];
    const push = pusher(web1, { sign: signedOf });
    expect(await failure(pushTo(web1, push))).toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringContaining('lacks a signature') as string,
    });
    expect(await pathsOn(web1)).not.toContain(closure.root);
  });

  test('takes no other contents than what was signed: the failure has its reason', async () => {
    const web1 = await host();
    async function* tampered(path: string): AsyncGenerator<Uint8Array> {
      for await (const piece of archiveOf(join(workshop.storeRoot, path))) {
        const text = Buffer.from(piece).toString('latin1').replace('signed/1', 'signed/2');
        yield Buffer.from(text, 'latin1');
      }
    }
    expect(await failure(pushTo(web1, pusher(web1, { source: { read: tampered } })))).toMatchObject({
      code: 'PUSH_FAILED',
      message: expect.stringMatching(/hash mismatch importing path/) as string,
    });
    expect(await pathsOn(web1)).toEqual([]);
  });
});
