import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { execute, run } from '../../hosts/command.ts';
import { createLab } from '../../hosts/lab.ts';
import { listLabs } from '../../hosts/lab-registry.ts';
import { sweepStaleLabs } from '../../hosts/sweep.ts';
import { eventually } from '../../support/eventually.ts';

/** All that is on this machine of the lab with that number. */
async function remains(number: number, dir: string): Promise<string[]> {
  const [links, namespaces, mounts] = await Promise.all([
    run(['ip', '-brief', 'link', 'show']),
    run(['ip', 'netns', 'list']),
    readFile('/proc/self/mounts', 'utf8'),
  ]);
  const cgroups = (
    await Promise.all(
      ['', '/systemd', '/unified'].map((hierarchy) => readdir(`/sys/fs/cgroup${hierarchy}`).catch(() => [])),
    )
  ).flat();
  const processes = await execute(['pgrep', '-af', '--', dir]);
  const lines = (text: string): string[] => text.split('\n').map((line) => line.trim());
  return [
    ...lines(links).filter((line) => new RegExp(`^vv${number}(-|\\s)`).test(line)),
    ...lines(namespaces).filter((line) => line.startsWith(`vv${number}-`)),
    ...lines(mounts).filter((line) => line.includes(dir)),
    ...cgroups.filter((name) => name.startsWith(`varve-${number}-`)),
    ...lines(processes.stdout).filter((line) => line.includes('nspawn')),
    ...(await readdir(dir).catch(() => [])),
  ];
}

const crashing = fileURLToPath(new URL('crashing-lab.ts', import.meta.url));

it('removes all that a crashed process left, and nothing of a lab that lives', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', crashing], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const dir = await eventually(() => /^ready (.+)$/m.exec(output)?.[1], {
    what: 'the lab',
    deadlineMs: 120_000,
  });
  const crashed = (await listLabs()).find((lab) => lab.dir === dir);
  if (crashed === undefined) throw new Error(`the lab in ${dir} is not registered`);
  const { number } = crashed;
  expect(crashed.alive).toBe(true);
  expect(await remains(number, dir)).not.toEqual([]);

  // Not a sweep of the neighbours: they come and go by themselves.
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  expect((await listLabs()).find((lab) => lab.dir === dir)?.alive).toBe(false);
  expect(await remains(number, dir)).not.toEqual([]);
  await Promise.all([sweepStaleLabs(), sweepStaleLabs(), sweepStaleLabs()]);
  await eventually(async () => (await remains(number, dir)).length === 0, {
    what: 'nothing',
    deadlineMs: 30_000,
  });
  expect((await listLabs()).filter((lab) => lab.dir === dir)).toEqual([]);
});

it('leaves nothing after close, also of hosts that are frozen or off, and two labs do not meet', async () => {
  const [one, two] = await Promise.all([createLab({ hosts: ['a', 'b', 'c'] }), createLab({ hosts: ['a'] })]);
  const numberOf = async (dir: string): Promise<number> =>
    (await listLabs()).find((lab) => lab.dir === dir)?.number ?? 0;
  const [first, second] = [await numberOf(one.dir), await numberOf(two.dir)];
  expect(first).not.toBe(second);
  await one.host('a').freeze();
  await one.host('b').powerCut();
  await one.close();
  expect(await remains(first, one.dir)).toEqual([]);
  await two.host('a').waitForSsh();
  await two.close();
  expect(await remains(second, two.dir)).toEqual([]);
});
