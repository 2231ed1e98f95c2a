import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Status } from '../../../shared/contracts/api.ts';
import { run } from '../../hosts/command.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/ports.ts';
import { labOf, npmStart, processesOf, remains, type Started } from './support.ts';

let parent: string;
let folder: string;
let url: string;
let running: Started | undefined;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'varve-example-'));
  folder = join(parent, 'data');
  url = `http://127.0.0.1:${await freePort()}`;
});
afterEach(async () => {
  await running?.end();
  running = undefined;
  await rm(parent, { recursive: true, force: true });
});

async function start(): Promise<Started> {
  running = await npmStart(['--data', folder, '--listen', url.slice('http://'.length)]);
  return running;
}

async function status(): Promise<Status> {
  return Status.parse(await (await fetch(`${url}/api/v1/status`)).json());
}

const inSync = /Try it in a second terminal/;

/** A line of the printed instructions, as somebody copies it. */
function copied(output: string, line: RegExp): string {
  const found = output.split('\n').find((it) => line.test(it));
  if (found === undefined) throw new Error(`${line.source} is not in\n${output}`);
  return found.trim();
}

function inShell(lines: readonly string[]): Promise<string> {
  return run(['sh', '-e'], {
    input: `${lines.join('\n')}\n`,
    env: { ...cleanEnvironment(), HOME: '/var/empty' },
  });
}

function cleanEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LANG: 'C.UTF-8' };
}

describe('npm start without arguments', () => {
  it('runs the example fleet, deploys what is pushed by hand as printed, takes it back, and leaves nothing', async () => {
    const started = await start();
    await started.says(inSync, 300_000);
    const output = started.output();
    expect(output).not.toContain('\u001b');
    const first = await status();
    expect(first.hosts.map(({ host, sync, health }) => `${host} ${sync} ${health}`).toSorted()).toEqual([
      'batch1 Synced Healthy',
      'web1 Synced Healthy',
      'web2 Synced Healthy',
    ]);
    const lab = await labOf(folder);

    const look = copied(output, /curl|fetch\(/);
    expect(await inShell([look])).toContain('hello from web1');
    await inShell([
      copied(output, /^ *cd /),
      copied(output, /hello, world/),
      copied(output, /Greet the world/),
    ]);
    // The push tells Varve: the poll would come after a minute.
    const seen = await eventually(
      async () => {
        const { observation } = await status();
        return observation?.subject === 'Greet the world' && observation;
      },
      { what: 'the commit is seen', deadlineMs: 10_000 },
    );
    await eventually(async () => (await status()).hosts.every(({ sync }) => sync === 'Synced'), {
      what: 'the commit is deployed',
      deadlineMs: 60_000,
    });
    expect(seen.n).toBe(2);
    expect(await inShell([look])).toContain('hello, world');

    await inShell([copied(output, /^ *cd /), copied(output, /git revert/)]);
    await eventually(async () => (await inShell([look])).includes('hello from web1'), {
      what: 'the old page',
      deadlineMs: 60_000,
      everyMs: 200,
    });
    const ssh = `${copied(output, /^ *ssh -F/)} cat /etc/motd`;
    expect(await inShell([ssh])).toContain('web1 serves the web');
    const varve = /alias varve='(.+)'/.exec(output)?.[1] ?? '';
    const listed = await inShell([copied(output, /export VARVE_URL/), `${varve} history web1`]);
    expect(listed).toContain('Revert "Greet the world"');

    // A host in the middle of an activation is not asked.
    await eventually(async () => (await status()).hosts.every(({ sync }) => sync === 'Synced'), {
      what: 'the revert is confirmed',
      deadlineMs: 60_000,
    });
    const asked = Date.now();
    const doctor = await inShell([
      copied(output, /export VARVE_URL/),
      `${varve} doctor -o json || test $? = 1`,
    ]);
    for (const { host, probeAskedAt, freeBytes, nixVersion } of (await status()).hosts) {
      expect(probeAskedAt, host).toBeGreaterThanOrEqual(asked);
      expect([freeBytes, nixVersion]).toEqual([expect.any(Number), expect.stringMatching(/^\d+\.\d+/)]);
      expect(doctor).toContain(`"what": "${host}"`);
    }
    expect(doctor).not.toMatch(/no probe|cannot be asked/);

    started.child.kill('SIGTERM');
    expect(await started.ended).toBe(0);
    expect(await remains(folder, lab)).toEqual([]);
    // What was committed can still be looked at.
    expect(await run(['git', 'log', '--format=%s', 'HEAD'], { cwd: join(folder, 'fleet') })).toContain(
      'Greet',
    );
  });

  it('ends the hosts when it is killed, and begins anew in the same folder', async () => {
    const started = await start();
    await started.says(inSync, 300_000);
    const lab = await labOf(folder);
    await writeFile(join(folder, 'fleet', 'mine'), 'of the first example');
    const up = (await processesOf(folder)).find(({ line }) => /cli\/main\.js up/.test(line));
    process.kill(up?.pid ?? 0, 'SIGKILL');
    expect(await started.ended).toBe(137);
    await eventually(async () => (await remains(folder, lab)).length === 0, {
      what: 'nothing is left',
      deadlineMs: 40_000,
      everyMs: 200,
    });

    const again = await start();
    await again.says(inSync, 120_000);
    await expect(readFile(join(folder, 'fleet', 'mine'))).rejects.toThrow('ENOENT');
    const next = await labOf(folder);
    again.child.kill('SIGINT');
    expect(await again.ended).toBe(0);
    expect(await remains(folder, next)).toEqual([]);
  });

  it('empties no folder that is not an example’s', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'thesis.txt'), 'the only copy');
    const started = await start();
    expect(await started.ended).toBe(6);
    expect(started.output()).toContain(`${folder} is not empty, and not of an earlier example`);
    expect(await readFile(join(folder, 'thesis.txt'), 'utf8')).toBe('the only copy');
  });

  it('stops at once when it is told to while hosts are being started', async () => {
    const started = await start();
    await started.says(/starting three hosts/, 300_000);
    started.child.kill('SIGINT');
    expect([0, 130]).toContain(await started.ended);
    expect(await processesOf(folder)).toEqual([]);
  });
});
