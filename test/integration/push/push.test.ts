import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { FleetError } from '../../../shared/domain/errors.ts';
import type { Connection } from '../../../shared/domain/fleet.ts';
import {
  parseDeploymentId,
  parseHostName,
  parseStorePath,
  type StorePath,
} from '../../../shared/domain/names.ts';
import { archiveOf } from '../../../worker/nix/nar.ts';
import type { ArchiveSource } from '../../../worker/push/archive.ts';
import { createArchives, type Archives } from '../../../worker/push/archives.ts';
import { createCompressor } from '../../../worker/push/compressor.ts';
import { createPusher } from '../../../worker/push/pusher.ts';
import type { Push } from '../../../worker/push/push.ts';
import { createSsh } from '../../../worker/ssh/ssh.ts';
import { startLoopbackHost, type LoopbackHost } from '../../support/loopback-host.ts';
import { createWorkshop, recordingContext, type Workshop } from '../../support/nix-workshop.ts';
import { asSent } from '../../support/push-rig.ts';

let workshop: Workshop;
let small: StorePath;
let big: StorePath;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  workshop = await createWorkshop();
  const { store } = workshop;
  const add = async (name: string, bytes: Uint8Array) => {
    await writeFile(join(workshop.folder, name), bytes);
    return store.addFile(join(workshop.folder, name), { signal: undefined });
  };
  small = await add('small', Buffer.from('small'));
  big = await add('big', Buffer.alloc(24 * 1024 * 1024, 1));
});

beforeAll(async () => {
  const compressor = createCompressor({ threads: 2 });
  const folder = join(workshop.folder, 'archives');
  archives = await createArchives({ source, compressor, folder, maxBytes: 1e9 });
  return async () => {
    await archives.close();
    await compressor.close();
  };
});
afterAll(() => workshop?.close());

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

let hosts = 0;
let archives: Archives;
/** Whether archives are sent as they are. */
let nearMs = 0;

const source: ArchiveSource = { read: (path) => archiveOf(`${workshop.storeRoot}${path}`) };

async function host(options: { diskMiB?: number; untrusted?: boolean } = {}): Promise<LoopbackHost> {
  hosts += 1;
  const started = await startLoopbackHost({ folder: join(workshop.folder, `host-${hosts}`), ...options });
  closers.push(() => started.stop());
  return started;
}

function pushWith(identityFile: string): Push {
  const ssh = createSsh({ keyFiles: [identityFile], connectDeadlineMs: 3_000 });
  closers.push(() => ssh.close());
  const deps = { ssh, store: workshop.store, source, archives: asSent(archives, nearMs), sign: () => [] };
  return createPusher({ ...deps, settings: { nearMs } });
}

async function failureOf(push: Push, connection: Connection, path: StorePath): Promise<FleetError> {
  const thrown = await pushed(push, connection, path).catch((error: unknown) => error);
  if (thrown instanceof FleetError) return thrown;
  throw new Error('it did not fail as it should', { cause: thrown });
}

function pushed(push: Push, connection: Connection, path: StorePath) {
  return push.push(
    {
      host: parseHostName('web1'),
      deployment: parseDeploymentId('d000001'),
      connection,
      paths: new Map([['toplevel', path]]),
      deadlineMs: 60_000,
    },
    recordingContext(),
  );
}

describe.each([
  ['as they are', Infinity],
  ['compressed', 0],
])('a push that sends archives %s', (_, near) => {
  beforeEach(() => {
    nearMs = near;
  });

  test('sends what is missing, and nothing the second time, without starting Nix for it', async () => {
    const web1 = await host();
    const push = pushWith(web1.identityFile);
    const first = await pushed(push, web1.connection, small);
    expect(first).toMatchObject({ paths: 1, bytes: 120 });
    const copies = () => workshop.started.filter((argv) => argv.includes('copy')).length;
    const before = copies();
    expect(await pushed(push, web1.connection, small)).toMatchObject({ paths: 0, bytes: 0 });
    expect(copies()).toBe(before);
  });

  test('tells how many of the missing paths were sent, from none to all', async () => {
    const web1 = await host();
    const push = pushWith(web1.identityFile);
    const context = recordingContext();
    const request = {
      host: parseHostName('web1'),
      deployment: parseDeploymentId('d000001'),
      connection: web1.connection,
      paths: new Map([
        ['toplevel', small],
        ['guard', big],
      ]),
      deadlineMs: 60_000,
    };
    const { bytes } = await push.push(request, context);
    // The larger one first: nothing needs the other.
    const sizes = [0, bytes - 120, bytes];
    expect(context.steps).toEqual(
      sizes.map((done, paths) => ({ what: 'bytes', done, total: bytes, paths: { done: paths, total: 2 } })),
    );
    expect(context.lines).toEqual([`sending 2 paths, ${bytes} bytes, to ${web1.connection.address}`]);

    // Where nothing is missing there is nothing to tell.
    const again = recordingContext();
    await push.push(request, again);
    expect([again.steps, again.lines]).toEqual([[], []]);
  });

  test('keeps the roots of the last deployments only, and those of every one that came to an activation', async () => {
    const web1 = await host();
    const push = pushWith(web1.identityFile);
    const paths = new Map([['toplevel', small]]);
    await web1.inside('mkdir', '-p', '/nix/var/varve/records/d000001');
    for (let n = 1; n <= 8; n += 1) {
      const deployment = parseDeploymentId(`d00000${n}`);
      const { connection } = web1;
      await push.push(
        { host: parseHostName('web1'), deployment, connection, paths, deadlineMs: 60_000 },
        recordingContext(),
      );
    }
    const left = (await web1.inside('ls', '/nix/var/nix/gcroots/varve')).split('\n');
    expect(left).toHaveLength(6);
    expect(left).toEqual(expect.arrayContaining(['d000001', 'd000008']));
  });

  test('to a host whose disk is too small says so before it sends anything', async () => {
    const web1 = await host({ diskMiB: 16 });
    const failure = await failureOf(pushWith(web1.identityFile), web1.connection, big);
    expect(failure).toMatchObject({ code: 'DISK_FULL', disposition: 'transient' });
    expect(Number(failure.details?.['freeBytes'])).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(Number(failure.details?.['neededBytes'])).toBeGreaterThan(24 * 1024 * 1024);
  });

  test('by a user whom the host does not trust says that a signature is missing, and how to get one', async () => {
    const web1 = await host({ untrusted: true });
    // Content-addressed paths need none, so this one is built.
    const path = await built();
    await chmod(workshop.folder, 0o755);
    const failure = await failureOf(pushWith(web1.identityFile), web1.connection, path);
    expect(failure).toMatchObject({ code: 'PUSH_FAILED', disposition: 'stalled' });
    expect(failure.hint).toContain('trusted-public-keys');
  });
});

describe('a host that cannot be pushed to', () => {
  test('shows another key than the pinned one: stalled', async () => {
    const web1 = await host();
    const other = await host();
    const connection = { ...web1.connection, hostKeys: other.connection.hostKeys };
    expect(await failureOf(pushWith(web1.identityFile), connection, small)).toMatchObject({
      code: 'HOST_KEY_MISMATCH',
      disposition: 'stalled',
    });
  });

  test('has no known key: stalled', async () => {
    const web1 = await host();
    const connection = { ...web1.connection, hostKeys: [] };
    expect(await failureOf(pushWith(web1.identityFile), connection, small)).toMatchObject({
      code: 'HOST_KEY_UNKNOWN',
      disposition: 'stalled',
    });
  });

  test('does not let the worker in: stalled', async () => {
    const web1 = await host();
    const other = await host();
    expect(await failureOf(pushWith(other.identityFile), web1.connection, small)).toMatchObject({
      code: 'HOST_AUTH_FAILED',
      disposition: 'stalled',
    });
  });

  test('is down: transient', async () => {
    const web1 = await host();
    await web1.stop();
    await mkdir(join(workshop.folder, 'gone'), { recursive: true });
    const other = await host();
    expect(await failureOf(pushWith(other.identityFile), web1.connection, small)).toMatchObject({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
    });
  });

  test('accepts connections and then says nothing: transient, within the deadline', async () => {
    const web1 = await host();
    const silent = await listen();
    closers.push(() => silent.server.close());
    const connection = { ...web1.connection, port: silent.port };
    expect(await failureOf(pushWith(web1.identityFile), connection, small)).toMatchObject({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
    });
  });
});

/** A path that only a signature makes acceptable. */
async function built(): Promise<StorePath> {
  const expression = `derivation {
    name = "built"; system = "x86_64-linux"; args = [ "sh" "-c" "echo built > $out" ];
    builder = "\${builtins.path { path = ${workshop.folder}/bin; name = "bin"; }}/busybox";
  }`;
  await mkdir(join(workshop.folder, 'bin'), { recursive: true });
  await workshop.run(['cp', '/usr/bin/busybox', join(workshop.folder, 'bin/busybox')], { deadlineMs: 5_000 });
  const result = await workshop.nix.run(
    ['nix', 'build', '--impure', '--no-link', '--json', '--expr', expression],
    { signal: undefined, deadlineMs: 60_000 },
  );
  const found = /"(\/nix\/store\/[^"]+-built)"/.exec(result.stdout.toString('utf8'))?.[1];
  if (found === undefined) throw new Error(result.stderrTail);
  return parseStorePath(found);
}

function listen(): Promise<{ readonly server: Server; readonly port: number }> {
  return new Promise((resolve) => {
    const server = createServer(() => {});
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address !== null ? address.port : 0 });
    });
  });
}
