import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { run } from '../../hosts/command.ts';
import { listLabs } from '../../hosts/lab-registry.ts';
import { workerRoots } from '../../hosts/worker-roots.ts';
import { eventually } from '../../support/eventually.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** `npm start` as somebody runs it who watches nothing: its output is a pipe. */
export interface Started {
  readonly child: ChildProcess;
  /** Its exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  output(): string;
  /** Ends it and all that it started, whatever state it is in. */
  end(): Promise<void>;
  /** Waits until the output matches, and gives the first group of the last match. */
  says(what: RegExp, deadlineMs: number): Promise<string>;
}

export async function npmStart(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const child = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  let over = false;
  void ended.then(() => (over = true));
  return {
    child,
    ended,
    output: () => output,
    async end() {
      const signal = (name: NodeJS.Signals): void => {
        if (!over && child.pid !== undefined) process.kill(-child.pid, name);
      };
      signal('SIGTERM');
      const force = setTimeout(() => signal('SIGKILL'), 40_000);
      await ended;
      clearTimeout(force);
    },
    async says(what, deadlineMs) {
      return eventually(
        () => {
          const found = [...output.matchAll(new RegExp(what, 'g'))].at(-1);
          if (found === undefined && over) throw new Error(`it ended, and has said:\n${output}`);
          return found === undefined ? undefined : (found[1] ?? found[0]);
        },
        { what: `${what.source} in:\n${output}`, deadlineMs },
      );
    },
  };
}

/** The program of that command line which runs for this data folder. */
export async function processesOf(folder: string): Promise<readonly { pid: number; line: string }[]> {
  const found: { pid: number; line: string }[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const [line, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    const text = line?.replaceAll('\0', ' ') ?? '';
    if (text.includes(folder) || environment?.includes(`VARVE_DATA_DIR=${folder}\0`))
      found.push({ pid, line: text });
  }
  return found;
}

/** The number and the folder of the lab whose owner serves this data folder. */
export async function labOf(folder: string): Promise<{ number: number; dir: string }> {
  const identity = /"identities":\["([^"]+)"\]/.exec(
    await readFile(join(folder, 'service.yaml'), 'utf8'),
  )?.[1];
  const lab = (await listLabs()).find(({ dir }) => identity?.startsWith(`${dir}/`));
  if (lab === undefined) throw new Error(`no lab has ${identity}`);
  return lab;
}

/** Everything of an example that is on this machine: what must be nothing in the end. */
export async function remains(
  folder: string,
  lab: { number: number; dir: string },
): Promise<readonly string[]> {
  const { number, dir } = lab;
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
  const lines = (text: string): string[] => text.split('\n').map((line) => line.trim());
  return [
    ...(await processesOf(folder)).map(({ line }) => line),
    ...(await processesOf(dir)).map(({ line }) => line),
    // Another lab may have the number again: its folder tells.
    ...((await listLabs()).some((it) => it.number === number && it.dir !== dir)
      ? []
      : [
          ...lines(links).filter((line) => new RegExp(`^vv${number}(-|\\s)`).test(line)),
          ...lines(namespaces).filter((line) => line.startsWith(`vv${number}-`)),
          ...cgroups.filter((name) => name.startsWith(`varve-${number}-`)),
        ]),
    ...lines(mounts).filter((line) => line.includes(dir)),
    ...(await readdir(workerRoots(folder)).catch(() => [])),
    ...(await readdir(dir).catch(() => [])),
  ];
}
