import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pLimit from 'p-limit';

import { ensureBaseImage } from './base-image.ts';
import { cgroupName } from './cgroup.ts';
import { makeHostDisk, makeKey } from './host-disk.ts';
import { claimNumber } from './lab-registry.ts';
import { addBridge, addHostNetwork, networkOf } from './network.ts';
import { sweepStaleLabs, tearDown } from './sweep.ts';
import type { TestHost } from './test-host.ts';
import { createTestHost } from './test-host.ts';

export interface LabOptions {
  /** Names of the hosts to begin with. */
  readonly hosts?: readonly string[];
  /** Whether they are started; `createLab` then ends when every one answers on its SSH port. Default: yes. */
  readonly boot?: boolean;
  /** Where the lab's folder is made. Default: the folder for temporary files. */
  readonly parent?: string;
  /** Gives the hosts' services no PATH, as on NixOS. Default: no. */
  readonly emptyServicePath?: boolean;
  /** Gives each host a file system of that size for `/nix`. Default: as much as this machine has. */
  readonly storeMegabytes?: number;
  readonly log?: (line: string) => void;
}

/** Some real hosts on a network of their own. Several labs may exist on one machine at a time. */
export interface Lab {
  /** Names all that the lab has on this machine; what bears it ends with the lab. */
  readonly number: number;
  readonly hosts: ReadonlyMap<string, TestHost>;
  /** The lab's folder: disks, keys, and room for what a test needs. It is gone after `close`. */
  readonly dir: string;
  /** The private key that root accepts on every host; its public half is beside it, with `.pub`. */
  readonly privateKeyPath: string;
  readonly publicKey: string;
  /** The machine's own address on the lab's network: what the hosts can reach. */
  readonly gateway: string;
  /** The toplevel that every host runs at first. */
  readonly genesis: string;
  /** Adds a host that is off. */
  addHost(name: string): Promise<TestHost>;
  /** The host of that name; throws if there is none. */
  host(name: string): TestHost;
  /** Ends and removes all of it. */
  close(): Promise<void>;
}

/**
 * Makes a lab. Needs root, and the programs that `npm start` installs. Clean-up after a crash of this process is done by the
 * next lab, or by `npx tsx test/hosts/sweep.ts`.
 */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  const log = options.log ?? (() => {});
  await sweepStaleLabs();
  const image = await ensureBaseImage(log);
  const dir = await mkdtemp(join(options.parent ?? tmpdir(), 'varve-lab-'));
  const number = await claimNumber(dir, addBridge);
  const hosts = new Map<string, TestHost>();

  const close = (): Promise<void> => tearDown(number, dir);
  try {
    const privateKeyPath = join(dir, 'id_ed25519');
    const publicKey = await makeKey(privateKeyPath, 'varve');
    let last = 1;
    const addHost = async (name: string): Promise<TestHost> => {
      if (hosts.has(name)) throw new RangeError(`the lab has a host ${name} already`);
      last += 1;
      const index = last;
      const folder = join(dir, 'hosts', name);
      await mkdir(folder, { recursive: true });
      const [network, keys] = await Promise.all([
        addHostNetwork(number, index),
        makeHostDisk(folder, name, image, {
          authorizedKey: publicKey,
          emptyServicePath: options.emptyServicePath ?? false,
          storeMegabytes: options.storeMegabytes,
        }),
      ]);
      const host = createTestHost({
        name,
        folder,
        network,
        cgroup: cgroupName(number, index),
        keys,
        privateKeyPath,
      });
      hosts.set(name, host);
      return host;
    };
    const added = await Promise.all((options.hosts ?? []).map(addHost));
    // Each has a deadline of its own: a dozen at once would take each other's time.
    const few = pLimit(4);
    if (options.boot ?? true) await Promise.all(added.map((host) => few(() => host.boot())));
    return {
      number,
      hosts,
      dir,
      privateKeyPath,
      publicKey,
      gateway: networkOf(number).gateway,
      genesis: image.genesis,
      addHost,
      host(name) {
        const host = hosts.get(name);
        if (host === undefined) throw new RangeError(`the lab has no host ${name}`);
        return host;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
