import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { parseDeploymentId, parseHostName, type StorePath } from '../../shared/domain/names.ts';
import { archiveOf } from '../../worker/nix/nar.ts';
import type { ArchiveSource } from '../../worker/push/archive.ts';
import { createArchives, type Archives } from '../../worker/push/archives.ts';
import { createCompressor } from '../../worker/push/compressor.ts';
import type { Push, Pushed } from '../../worker/push/push.ts';
import { createPusher, type PusherDeps } from '../../worker/push/pusher.ts';
import { createSsh, type Ssh } from '../../worker/ssh/ssh.ts';
import { startDelayProxy, type DelayProxy } from './delay-proxy.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { createWorkshop, recordingContext, type Workshop } from './nix-workshop.ts';

/** How archives are sent: `settings.nearMs` of a pusher. */
export const ways = [
  ['as they are', Infinity],
  ['compressed', 0],
] as const;

/** What is to be sent as it is, is, although another test may have compressed it already. */
export function asSent(archives: Archives, nearMs: number | undefined): PusherDeps['archives'] {
  return nearMs === Infinity ? { pieces: archives.pieces, has: () => false } : archives;
}

/** A worker's store and archives, and hosts to push to. What a test starts ends with it. */
export interface PushRig {
  readonly workshop: Workshop;
  readonly source: ArchiveSource;
  readonly archives: Archives;
  host(options?: Omit<Parameters<typeof startLoopbackHost>[0], 'folder'>): Promise<LoopbackHost>;
  /** A way to a host that can be cut and frozen. */
  line(host: LoopbackHost, roundTripMs?: number): Promise<DelayProxy>;
  /** A pusher with connections of its own. */
  pusher(host: Pick<LoopbackHost, 'identityFile'>, deps?: Partial<PusherDeps>): OwnPush;
  /** Ends what was started since the last time. */
  endTest(): Promise<void>;
  close(): Promise<void>;
}

export interface OwnPush extends Push {
  readonly ssh: Ssh;
}

export async function createPushRig(): Promise<PushRig> {
  const workshop = await createWorkshop();
  const source: ArchiveSource = { read: (path) => archiveOf(`${workshop.storeRoot}${path}`) };
  const compressor = createCompressor({ threads: 2 });
  const archives = await createArchives({
    source,
    compressor,
    folder: join(workshop.folder, 'archives'),
    maxBytes: 8e9,
  });
  const closers: (() => unknown)[] = [];
  let hosts = 0;

  const endTest = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  return {
    workshop,
    source,
    archives,
    async host(options) {
      hosts += 1;
      const host = await startLoopbackHost({ folder: join(workshop.folder, `host-${hosts}`), ...options });
      closers.push(() => host.stop());
      return host;
    },
    async line({ connection }, roundTripMs = 0) {
      const line = await startDelayProxy({ target: connection, roundTripMs });
      closers.push(() => line.close());
      return line;
    },
    pusher({ identityFile }, deps) {
      const ssh = createSsh({ keyFiles: [identityFile], connectDeadlineMs: 3_000 });
      closers.push(() => ssh.close());
      const { store } = workshop;
      const known = asSent(archives, deps?.settings?.nearMs);
      const push = createPusher({ ssh, store, source, archives: known, sign: () => [], ...deps });
      return { ...push, ssh };
    },
    endTest,
    async close() {
      await endTest();
      await archives.close();
      await compressor.close();
      await workshop.close();
    },
  };
}

/** The same host by another way. */
export function by(host: LoopbackHost, line: Pick<DelayProxy, 'address' | 'port'>): Connection {
  return { ...host.connection, address: line.address, port: line.port };
}

export interface PushOptions {
  readonly deployment?: string;
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
  readonly context?: ReturnType<typeof recordingContext>;
}

export function pushed(
  push: Push,
  connection: Connection,
  path: StorePath,
  {
    deployment = 'd000001',
    signal,
    deadlineMs = 60_000,
    context = recordingContext(signal),
  }: PushOptions = {},
): Promise<Pushed> {
  return push.push(
    {
      host: parseHostName('web1'),
      deployment: parseDeploymentId(deployment),
      connection,
      paths: new Map([['toplevel', path]]),
      deadlineMs,
    },
    context,
  );
}

/** Why it failed. */
export async function failureOf(push: Promise<unknown>): Promise<FleetError> {
  const thrown = await push.catch((error: unknown) => error);
  if (thrown instanceof FleetError) return thrown;
  throw new Error('it did not fail as it should', { cause: thrown });
}
