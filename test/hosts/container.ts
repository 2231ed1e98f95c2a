import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';

import { inCgroups, makeCgroups, waitUntilEmpty } from './cgroup.ts';
import { identityOf, isAlive } from './process-identity.ts';
import { waitFor } from './waiting.ts';

export interface ContainerSpec {
  readonly name: string;
  readonly rootDir: string;
  readonly namespace: string;
  readonly cgroup: string;
  /** Where the console's output is appended to. */
  readonly console: string;
}

/** A started container: systemd as process 1 of namespaces of its own. */
export interface Container {
  /** Process 1, by the number that it has outside. */
  readonly init: number;
  /** Settles when nothing of the container runs any more. */
  readonly ended: Promise<ContainerEnd>;
}

/** Why it ended: it asked for a reboot, or anything else. */
export type ContainerEnd = 'reboot' | 'off';

/** What nspawn exits with when the container asked for a reboot and someone else is to start it again. */
const REBOOT_STATUS = 133;

/** Starts a container on its root folder. It goes on when this program ends, whoever kills it. */
export async function startContainer(spec: ContainerSpec): Promise<Container> {
  const cgroups = await makeCgroups(spec.cgroup);
  const output = await open(spec.console, 'a');
  const nspawn = [
    'systemd-nspawn',
    '--quiet',
    `--directory=${spec.rootDir}`,
    `--machine=${spec.name}`,
    '--register=no',
    '--keep-unit',
    '--capability=CAP_NET_ADMIN',
    `--network-namespace-path=/run/netns/${spec.namespace}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--kill-signal=SIGRTMIN+3',
    '--console=read-only',
    '/sbin/varve-boot',
  ];
  const [program, ...args] = inCgroups(cgroups, nspawn);
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
  });
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', resolve);
    child.on('error', () => resolve(null));
  });
  await output.close();
  const ended = exited.then(async (status): Promise<ContainerEnd> => {
    await waitUntilEmpty(spec.cgroup);
    return status === REBOOT_STATUS ? 'reboot' : 'off';
  });
  const { pid } = child;
  if (pid === undefined) throw new RangeError('systemd-nspawn could not be started');
  const init = await waitFor(`${spec.name} starting`, () => initBelow(pid), 20_000, 5);
  return { init, ended };
}

/** SIGKILL to process 1: the kernel ends all else at once. Killing nspawn instead would leave the container running. */
export async function cutPower(container: Container): Promise<void> {
  const identity = await identityOf(container.init);
  if (identity !== undefined && (await isAlive(identity))) process.kill(container.init, 'SIGKILL');
  await container.ended;
}

/** The process below nspawn that is number 1 in its own namespace. */
async function initBelow(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const child of text.split(' ').filter(Boolean).map(Number)) {
    const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
    if (/^NSpid:\s+\d+\s+1$/m.test(status)) return child;
    const below = await initBelow(child);
    if (below !== undefined) return below;
  }
  return undefined;
}
