import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/ports.ts';

const main = fileURLToPath(new URL('../../support/fake-up-main.ts', import.meta.url));

let folder: string;
let port: number;
let running: Up | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-up-'));
  port = await freePort();
});
afterEach(async () => {
  running?.child.kill('SIGTERM');
  await running?.ended;
  running = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** What most tests give on the command line. */
function usual(): object {
  return { repo: '/srv/git/fleet.git', data: folder, listen: { address: '127.0.0.1', port } };
}

interface Up {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
}

function up(env: Readonly<Record<string, string>> = {}, options: object = usual()): Up {
  const child = spawn(process.execPath, ['--import', 'tsx', main, JSON.stringify(options)], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: 'UTC', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  running = {
    child,
    ended: new Promise((resolve) => child.once('close', resolve)),
    output: () => output,
  };
  return running;
}

async function isUp(started: Up): Promise<void> {
  await eventually(() => started.output().includes('Varve is up at'), {
    what: 'the banner',
    deadlineMs: 60_000,
  });
}

const Line = z.object({ env: z.record(z.string(), z.string()).optional() });
type Line = z.infer<typeof Line>;

/** What the pretending worker said at each of its starts. */
async function workerStarts(): Promise<readonly Line[]> {
  const text = await readFile(join(folder, 'log', 'worker.log'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => Line.parse(JSON.parse(line)));
}

/** Processes whose environment names this test's folder. */
async function leftBehind(): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises');
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.includes(`VARVE_DATA_DIR=${folder}\0`)) found.push(pid);
  }
  return found;
}

describe('varve up', () => {
  test('starts controller and worker with what they need, and says where everything is', async () => {
    const started = up({ VARVE_LOG_LEVEL: 'debug', SECRET_OF_OTHERS: 'x' });
    await isUp(started);
    expect(started.output()).toContain(`http://127.0.0.1:${port}`);
    expect(started.output()).not.toContain('\u001b');
    const [worker] = await eventually(
      async () => {
        const starts = await workerStarts();
        return starts.length > 0 && starts;
      },
      { what: 'the worker', deadlineMs: 30_000 },
    );
    expect(worker?.env).toMatchObject({
      VARVE_REPOSITORY_URL: '/srv/git/fleet.git',
      VARVE_DATA_DIR: folder,
      VARVE_LISTEN_PORT: String(port),
      VARVE_REDIS_SOCKET: join(folder, 'redis', 'redis.sock'),
      VARVE_LOG_LEVEL: 'debug',
    });
    expect(worker?.env).not.toHaveProperty('SECRET_OF_OTHERS');
    expect(started.output()).toContain('a private Redis is started');
    // What nobody gave is the programs' own default.
    for (const name of ['VARVE_REPOSITORY_REF', 'VARVE_CONTROLLER_URL', 'VARVE_REDIS_URL'])
      expect(worker?.env).not.toHaveProperty(name);
  });

  test('goes by a configuration file where no option says otherwise', async () => {
    const config = join(folder, 'service.yaml');
    await writeFile(
      config,
      JSON.stringify({
        repository: { url: '/srv/git/other.git', ref: 'production' },
        dataDir: folder,
        listen: { address: '127.0.0.1', port },
        redis: { url: 'redis://redis.example:6379' },
        worker: { controllerUrl: 'https://varve.example' },
      }),
    );
    const started = up({}, { config });
    await isUp(started);
    expect(started.output()).toContain(`http://127.0.0.1:${port}; its data and logs are in ${folder}`);
    expect(started.output()).not.toContain('a private Redis is started');
    const [worker] = await eventually(
      async () => {
        const starts = await workerStarts();
        return starts.length > 0 && starts;
      },
      { what: 'the worker', deadlineMs: 30_000 },
    );
    expect(Object.keys(worker?.env ?? {}).filter((name) => name.startsWith('VARVE_'))).toEqual([
      'VARVE_CONFIG',
      'VARVE_DATA_DIR',
    ]);
  });

  test('refuses a wrong configuration file before it starts anything', async () => {
    const config = join(folder, 'service.yaml');
    await writeFile(config, 'repositry: {}\n');
    const started = up({}, { config, data: folder, listen: { address: '127.0.0.1', port } });
    expect(await started.ended).not.toBe(0);
    expect(started.output()).toMatch(
      /service\.yaml:1:1: repositry: unknown key; did you mean `repository`\?/,
    );
    expect(await workerStarts()).toEqual([]);
  });

  test('stops everything when it is told to, and ends well', async () => {
    const started = up();
    await isUp(started);
    started.child.kill('SIGINT');
    expect(await started.ended).toBe(0);
    expect(started.output()).toContain('stopping: hosts keep what they run');
    expect(await leftBehind()).toEqual([]);
  });

  test('starts a program again that died, and says so', async () => {
    const started = up();
    await isUp(started);
    await eventually(async () => (await workerStarts()).length === 1, {
      what: 'the worker',
      deadlineMs: 30_000,
    });
    for (const pid of await leftBehind()) {
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (commandLine.includes('SIGUSR1')) process.kill(Number(pid), 'SIGKILL');
    }
    await eventually(async () => (await workerStarts()).length === 2, {
      what: 'the second start',
      deadlineMs: 30_000,
    });
    expect(started.output()).toMatch(/worker ended \(signal SIGKILL\); started again in 500 ms/);
  });

  test('leaves nothing behind when it is killed', async () => {
    const started = up();
    await isUp(started);
    expect((await leftBehind()).length).toBeGreaterThan(1);
    started.child.kill('SIGKILL');
    await started.ended;
    await eventually(async () => (await leftBehind()).length === 0, {
      what: 'the programs’ end',
      deadlineMs: 20_000,
    });
  });

  test('tells what happens in plain lines where nobody watches', async () => {
    const started = up({ VARVE_FAKE_STORY: '1' });
    await isUp(started);
    await eventually(() => /Z {2}web1 succeeded d000001/.test(started.output()), {
      what: 'the deployment',
      deadlineMs: 60_000,
    });
    expect(started.output()).toMatch(/Z {2}web1 activating d000001/);
    expect(started.output()).toContain('controller: only pretending host=web1');
  });

  test('refuses a port where something listens, before it starts anything', async () => {
    const other = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const started = up();
    expect(await started.ended).not.toBe(0);
    other.close();
    expect(started.output()).toContain(`something listens at 127.0.0.1:${port} already`);
    expect(await workerStarts()).toEqual([]);
  });
});
