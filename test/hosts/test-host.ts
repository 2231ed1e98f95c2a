import { createConnection } from 'node:net';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import { setFrozen } from './cgroup.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { execute, run } from './command.ts';
import type { Container } from './container.ts';
import { cutPower, startContainer } from './container.ts';
import type { HostKeys } from './host-disk.ts';
import type { HostNetwork } from './network.ts';
import { setLink } from './network.ts';
import { waitFor } from './waiting.ts';

/** How long a host may take to answer on its SSH port, in milliseconds. */
const BOOT_TIMEOUT = 60_000;

/** A machine of the test fleet: systemd as process 1, sshd, Nix, an address and a disk of its own. */
export interface TestHost {
  readonly name: string;
  readonly address: string;
  /** The SSH port that the first toplevel listens on. */
  readonly port: number;
  /** The public host key, as `varve.yaml` has it. */
  readonly hostKey: string;
  /** Another key that lies ready on the host's disk, at `/etc/ssh/ssh_host_next_ed25519_key`. */
  readonly nextHostKey: string;
  /** The private key that root accepts. */
  readonly privateKeyPath: string;
  /** The host's disk, seen from outside; `/run` and `/tmp` are not on it. */
  readonly rootDir: string;
  /** What the host wrote to its console, over all boots. */
  readonly consolePath: string;
  /** Runs a command inside, with or without sshd. Not possible while the host is frozen or off. */
  exec(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Starts the host. `until` is what is waited for; `started` only means that process 1 exists. */
  boot(options?: { readonly until?: 'ssh' | 'started'; readonly port?: number }): Promise<void>;
  /** Asks the host to shut down, and waits until it did. */
  powerOff(): Promise<void>;
  /** Ends all that runs there at once. What was written stays, synced or not: the page cache is the machine's. */
  powerCut(): Promise<void>;
  /** Everything on the host stops where it is, until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Pulls the network cable, and puts it back. */
  linkDown(): Promise<void>;
  linkUp(): Promise<void>;
  isRunning(): boolean;
  /** The identity of this boot, as the host sees it. */
  bootId(): Promise<string>;
  /** Waits until sshd answers, `timeout` in milliseconds. */
  waitForSsh(port?: number, timeout?: number): Promise<void>;
}

export interface TestHostSpec {
  readonly name: string;
  readonly folder: string;
  readonly network: HostNetwork;
  readonly cgroup: string;
  readonly keys: HostKeys;
  readonly privateKeyPath: string;
}

export function createTestHost(spec: TestHostSpec): TestHost {
  const { name, network, cgroup } = spec;
  const rootDir = join(spec.folder, 'root');
  const consolePath = join(spec.folder, 'console.log');
  let container: Container | undefined;

  const start = async (): Promise<void> => {
    const started = await startContainer({
      name,
      rootDir,
      namespace: network.namespace,
      cgroup,
      console: consolePath,
    });
    container = started;
    void started.ended
      .then(async (end) => {
        if (container !== started) return;
        container = undefined;
        if (end === 'reboot') await start();
      })
      .catch(() => {
        // A host that can't start again is off: whoever waits for it finds out.
        container = undefined;
      });
  };
  const running = (): Container => {
    if (container !== undefined) return container;
    throw new FleetError({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: `${name} is off` });
  };
  const exec = (argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    execute(
      [
        ...[
          'nsenter',
          '--target',
          String(running().init),
          '--mount',
          '--uts',
          '--ipc',
          '--net',
          '--pid',
          '--root',
        ],
        '--',
        ...[
          '/usr/bin/env',
          '--ignore-environment',
          '--chdir=/',
          'HOME=/root',
          'USER=root',
          `PATH=${insidePath}`,
          ...argv,
        ],
      ],
      options,
    );
  const waitForSsh = (port = 22, timeout = BOOT_TIMEOUT): Promise<void> =>
    waitFor(`sshd of ${name}`, () => greets(network.address, port), timeout).then(() => undefined);

  return {
    name,
    address: network.address,
    port: 22,
    hostKey: spec.keys.current,
    nextHostKey: spec.keys.next,
    privateKeyPath: spec.privateKeyPath,
    rootDir,
    consolePath,
    exec,
    waitForSsh,
    async boot({ until = 'ssh', port = 22 } = {}) {
      if (container !== undefined) throw new RangeError(`${name} is running already`);
      await start();
      if (until === 'ssh') await waitForSsh(port);
    },
    async powerOff() {
      const stopping = running();
      await exec(['systemctl', 'poweroff']);
      await waitFor(`${name} being off`, () => (container === stopping ? undefined : true), 60_000);
    },
    async powerCut() {
      if (container === undefined) return;
      const victim = container;
      container = undefined;
      await setFrozen(cgroup, false);
      await cutPower(victim);
    },
    freeze: () => setFrozen(cgroup, true),
    thaw: () => setFrozen(cgroup, false),
    linkDown: () => setLink(network, 'down'),
    linkUp: () => setLink(network, 'up'),
    isRunning: () => container !== undefined,
    async bootId() {
      // A host that is going down may take its namespaces along while they are being entered: asked again, not waited for.
      const { stdout } = await exec(['cat', '/proc/sys/kernel/random/boot_id'], { timeout: 5_000 });
      return stdout.trim();
    },
  };
}

const insidePath = '/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** True once an SSH server sends its first line. */
function greets(address: string, port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port, timeout: 500 });
    const finish = (answer: true | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (data) => {
      finish(data.toString('latin1').startsWith('SSH-') ? true : undefined);
    });
    socket.on('error', () => {
      finish(undefined);
    });
    socket.on('timeout', () => {
      finish(undefined);
    });
    socket.on('close', () => {
      finish(undefined);
    });
  });
}

/** Runs a command on a host with the OpenSSH client, for tests that need no connection of Varve's own. */
export async function ssh(
  host: TestHost,
  argv: readonly string[],
  { port = host.port, user = 'root' }: { readonly port?: number; readonly user?: string } = {},
): Promise<string> {
  const options = [
    'UserKnownHostsFile=/dev/null',
    'StrictHostKeyChecking=no',
    'LogLevel=ERROR',
    'BatchMode=yes',
  ];
  return run([
    ...['ssh', '-i', host.privateKeyPath, '-p', String(port), ...options.flatMap((option) => ['-o', option])],
    `${user}@${host.address}`,
    ...argv,
  ]);
}
