import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Connection } from '../../shared/domain/fleet.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createNix } from '../../worker/nix/nix.ts';
import { cgroupName, inCgroups, makeCgroups, processorMs } from '../hosts/cgroup.ts';
import { run } from '../hosts/command.ts';
import { definedEnvironment, nixConfig, nixSettings } from '../hosts/fleet-files.ts';
import { createLab } from '../hosts/lab.ts';
import type { TestHost } from '../hosts/test-host.ts';
import { closureOf, type ClosureKind } from '../support/closures.ts';
import { startDelayProxy } from '../support/delay-proxy.ts';
import type { Closure } from '../support/private-store.ts';
import { sshOptions } from './bare.ts';
import { timed } from './measure.ts';
import type { SenderPlace } from './push-orders.ts';
import { startSender } from './started-sender.ts';

/** A host, and one way to it. */
export interface Receiver {
  readonly host: TestHost;
  readonly connection: Connection;
}

/** How long something took, and what it cost the sending side in processor time, both in milliseconds. */
export interface Cost {
  readonly ms: number;
  readonly processorMs: number;
}

/** Hosts, a store to send from, our sender and theirs. */
export interface PushStage {
  readonly hosts: readonly TestHost[];
  /** The way to a host with that round-trip time; with none, straight. */
  receiver(host: TestHost, roundTripMs: number): Promise<Receiver>;
  /** A closure that was never sent before. */
  newClosure(kind: ClosureKind): Promise<Closure>;
  /** Our sender forgets connections and archives. */
  beginAnew(): Promise<void>;
  /** Our push of a closure, to all of them at the same time. */
  ours(to: readonly Receiver[], closure: Closure): Promise<Cost>;
  /** `nix copy` of a closure, a process for each, all at the same time. */
  theirs(to: readonly Receiver[], closure: Closure, scheme: 'ssh-ng' | 'ssh'): Promise<Cost>;
  /** Whether a host has a closure. */
  has(host: TestHost, closure: Closure): Promise<boolean>;
  /** Takes everything from a host that was pushed to it. */
  clear(host: TestHost): Promise<void>;
  close(): Promise<void>;
}

/** Its store is in memory, so that not the disk of this machine is measured; the largest closure is in it once. */
const storeMegabytes = 3 * 1024;
const seed = 'bench';

export async function startPushStage(names: readonly string[]): Promise<PushStage> {
  const lab = await createLab({ hosts: names, storeMegabytes });
  const closers: (() => unknown)[] = [() => lab.close()];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    // All of it is in the lab's folder and named by the lab's number: whoever sweeps the lab, sweeps it too.
    const place: SenderPlace = {
      storeRoot: join(lab.dir, 'sender/store'),
      folder: join(lab.dir, 'sender'),
      keyFile: lab.privateKeyPath,
    };
    const home = join(place.folder, 'home');
    await mkdir(home, { recursive: true });
    const config = { ...nixSettings, store: `local?root=${place.storeRoot}` };
    const store = {
      storeRoot: place.storeRoot,
      nix: createNix({ run: createRun(), settings: { config, home, environment: {} } }),
    };
    const [ours, theirs] = [cgroupName(lab.number, 'ours'), cgroupName(lab.number, 'theirs')];
    const sender = startSender(await makeCgroups(ours), place);
    closers.push(() => sender.close());
    const theirCgroups = await makeCgroups(theirs);
    const ways = new Map<string, Promise<Connection>>();
    let round = 0;

    const wayTo = async (host: TestHost, roundTripMs: number): Promise<Connection> => {
      const straight = { address: host.address, port: host.port, user: 'root', hostKeys: [host.hostKey] };
      if (roundTripMs === 0) return straight;
      const proxy = await startDelayProxy({ target: straight, roundTripMs });
      closers.push(() => proxy.close());
      return { ...straight, address: proxy.address, port: proxy.port };
    };
    const costIn = async (cgroup: string, act: () => Promise<unknown>): Promise<Cost> => {
      const before = await processorMs(cgroup);
      const ms = await timed(act);
      return { ms, processorMs: (await processorMs(cgroup)) - before };
    };

    return {
      hosts: names.map((name) => lab.host(name)),
      async receiver(host, roundTripMs) {
        const key = `${host.name} ${roundTripMs}`;
        const way = ways.get(key) ?? wayTo(host, roundTripMs);
        ways.set(key, way);
        return { host, connection: await way };
      },
      newClosure(kind) {
        round += 1;
        return closureOf(store, kind, { seed, round: `${round}` });
      },
      async beginAnew() {
        await sender.tell({ kind: 'begin-anew' });
      },
      async ours(to, { root }) {
        let ms = 0;
        const cost = await costIn(ours, async () => {
          const pushes = to.map(({ connection }) => sender.tell({ kind: 'push', connection, path: root }));
          // As the sender's own clock has it: what it takes to tell it is the bench's.
          ms = Math.max(...(await Promise.all(pushes)));
        });
        return { ...cost, ms };
      },
      theirs: (to, { root }, scheme) =>
        costIn(theirs, () =>
          Promise.all(
            to.map(({ connection }) =>
              run(
                inCgroups(theirCgroups, [
                  ...[
                    'nix',
                    'copy',
                    '--no-check-sigs',
                    '--to',
                    `${scheme}://root@${connection.address}`,
                    root,
                  ],
                ]),
                {
                  env: {
                    ...definedEnvironment(),
                    HOME: home,
                    NIX_CONFIG: `${nixConfig}\nstore = ${config.store}`,
                    NIX_SSHOPTS: sshOptions(place.keyFile, connection.port).join(' '),
                  },
                  timeout: 300_000,
                },
              ),
            ),
          ),
        ),
      has: async (host, { root }) => (await host.exec(['nix-store', '--check-validity', root])).code === 0,
      async clear(host) {
        const script = 'rm -rf /nix/var/nix/gcroots/varve && exec nix-store --gc --quiet > /dev/null';
        const { code, stderr } = await host.exec(['sh', '-c', script]);
        if (code !== 0) throw new Error(`${host.name} could not be cleared: ${stderr.slice(-2_000)}`);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
