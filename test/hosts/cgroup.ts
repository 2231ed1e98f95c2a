import { mkdir, readFile, readdir, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { waitFor } from './waiting.ts';

const root = '/sys/fs/cgroup';

/** The cgroup that a test host, or what else belongs to a lab, has to itself, in each hierarchy that the machine has. */
export function cgroupName(lab: number, member: number | string): string {
  return `varve-${lab}-${member}`;
}

/** The mount points of the hierarchies that matter: one on a machine with cgroup v2 only, two on a hybrid one. */
async function hierarchies(): Promise<{ all: string[]; unified: string }> {
  const isUnified = await stat(join(root, 'cgroup.controllers')).then(
    () => true,
    () => false,
  );
  return isUnified
    ? { all: [root], unified: root }
    : { all: [join(root, 'systemd'), join(root, 'unified')], unified: join(root, 'unified') };
}

/** Makes the cgroups; gives the files that a process writes its number to in order to move there. */
export async function makeCgroups(name: string): Promise<string[]> {
  const folders = (await hierarchies()).all.map((hierarchy) => join(hierarchy, name));
  for (const folder of folders) await mkdir(folder, { recursive: true });
  return folders.map((folder) => join(folder, 'cgroup.procs'));
}

// Moves itself into the cgroups, so that the command and all below it start there.
const enterAndExec = `
until [ "$1" = -- ]; do echo $$ > "$1" || exit 1; shift; done
shift
exec "$@"`;

/** A command that runs another one in the cgroups that these files are of. */
export function inCgroups(files: readonly string[], argv: readonly string[]): readonly [string, ...string[]] {
  return ['/bin/sh', '-c', enterAndExec, 'sh', ...files, '--', ...argv];
}

/** Processor time of all that ever ran in a cgroup, in milliseconds. */
export async function processorMs(name: string): Promise<number> {
  const text = await readFile(join((await hierarchies()).unified, name, 'cpu.stat'), 'utf8');
  return Number(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? Number.NaN) / 1_000;
}

export async function setFrozen(name: string, frozen: boolean): Promise<void> {
  const folder = join((await hierarchies()).unified, name);
  await writeFile(join(folder, 'cgroup.freeze'), frozen ? '1' : '0');
  await waitFor(`${name} being ${frozen ? 'frozen' : 'thawed'}`, async () =>
    (await readFile(join(folder, 'cgroup.events'), 'utf8')).includes(`frozen ${frozen ? 1 : 0}`)
      ? true
      : undefined,
  );
}

/** Kills all that runs in the cgroups whose name begins so, and removes them. */
export async function removeCgroups(isOurs: (name: string) => boolean): Promise<void> {
  for (const hierarchy of (await hierarchies()).all) {
    for (const name of (await readdir(hierarchy)).filter(isOurs)) {
      const folder = join(hierarchy, name);
      await waitFor(`the end of all processes in ${name}`, async () => {
        const pids = await processesBelow(folder);
        for (const pid of pids) kill(pid);
        return pids.length === 0 ? true : undefined;
      });
      await removeFolders(folder);
    }
  }
}

/** Waits until nothing is left of what ran in a cgroup, and removes what was made below it. */
export async function waitUntilEmpty(name: string): Promise<void> {
  for (const hierarchy of (await hierarchies()).all) {
    const folder = join(hierarchy, name);
    await waitFor(`${name} being empty`, async () =>
      (await processesBelow(folder)).length === 0 ? true : undefined,
    );
    for (const child of await childrenOf(folder)) await removeFolders(child);
  }
}

async function processesBelow(folder: string): Promise<number[]> {
  const own = (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '' && line !== '0')
    .map(Number);
  const below = await Promise.all((await childrenOf(folder)).map(processesBelow));
  return [...own, ...below.flat()];
}

async function childrenOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

async function removeFolders(folder: string): Promise<void> {
  for (const child of await childrenOf(folder)) await removeFolders(child);
  await rmdir(folder).catch(() => undefined);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the look and the signal.
  }
}
