import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { encodeNumber, encodeText } from '../../../../worker/nix/protocol/wire.ts';
import { controlCommand, dataCommand } from '../../../../worker/push/host-scripts.ts';
import { storedFrame } from '../../../../worker/push/zstd-frame.ts';
import { someBytes } from './archive-bytes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'host-scripts-'));
  await mkdir(join(folder, 'bin'));
  await mkdir(join(folder, 'tmp'));
  await mkdir(join(folder, 'nix/var/nix/profiles'), { recursive: true });
  await program('nix-store', 'exit 0');
});
afterEach(() => rm(folder, { recursive: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'bin', name), 0o755);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

type Input = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Runs it in that shell, with a `/nix/var` of its own and a watch that looks more often.
 * @param endAfter how much it says before its input ends
 */
function run(shell: string, command: string, input: Input, endAfter = 0): Promise<Ended> {
  const own = command
    .replaceAll('/nix/var', `${folder}/nix/var`)
    .replaceAll('-p /run', `-p ${folder}/tmp`)
    .replaceAll('sleep 2 ', 'sleep 0.2 ');
  const child = spawn('/bin/sh', ['-c', own.replaceAll('/bin/sh', shell)], {
    env: { PATH: `${folder}/bin:/usr/bin:/bin` },
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  let said = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    said += chunk.length;
    if (said >= endAfter) child.stdin.end();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {});
  const feed = async (): Promise<void> => {
    for await (const bytes of input) child.stdin.write(bytes);
    if (endAfter === 0) child.stdin.end();
  };
  void feed();
  return new Promise((resolve) => {
    child.once('close', (code) => {
      child.stdin.destroy();
      resolve({ code, stdout: Buffer.concat(stdout), stderr });
    });
  });
}

const storePath = '/nix/store/00000000000000000000000000000000-system';
const wanted = Buffer.from(`d000001\ntoplevel ${storePath}\n.\n`);
const goodbye = Buffer.concat([encodeNumber(1), encodeText('bye')]);
const payload = someBytes(300_000);
const rootOf = (): Promise<string> => readlink(join(folder, 'nix/var/nix/gcroots/varve/d000001/toplevel'));

const shells = ['/bin/dash', '/bin/bash'].filter((shell) => existsSync(shell));

describe.each(shells)('in %s', (shell) => {
  test('a daemon gets what was sent as it is, and what it made valid is rooted', async () => {
    await program('nix-daemon', 'exec cat');
    const { stdout, code } = await run(
      shell,
      dataCommand,
      [Buffer.from('plain 90\n'), wanted, payload],
      payload.length,
    );
    expect(stdout.subarray(0, payload.length).equals(payload)).toBe(true);
    expect(stdout.subarray(payload.length).toString()).toBe('rooted\n');
    expect(code).toBe(0);
    expect(await rootOf()).toBe(storePath);
    expect(await readdir(join(folder, 'tmp'))).toEqual([]);
  });

  test('a daemon gets what was compressed, and a goodbye at its end', async () => {
    await program('nix-daemon', `exec head -c ${payload.length + goodbye.length}`);
    const frames = [storedFrame(payload.subarray(0, 1_000)), storedFrame(payload.subarray(1_000))];
    const { stdout, code } = await run(shell, dataCommand, [Buffer.from('zstd 90\n'), wanted, ...frames]);
    const expected = Buffer.concat([payload, goodbye, Buffer.from('rooted\n')]);
    expect(stdout.equals(expected)).toBe(true);
    expect(code).toBe(0);
  });

  test('what is not valid in the end is not called rooted', async () => {
    await program('nix-daemon', 'exec cat');
    await program('nix-store', 'exit 1');
    const { stdout, code } = await run(shell, dataCommand, [Buffer.from('plain 90\n'), wanted]);
    expect(stdout.toString()).toBe('');
    expect(code).not.toBe(0);
  });

  test('what is cut off in the middle of a frame ends the daemon, and nothing is rooted', async () => {
    await program('nix-daemon', 'exec cat');
    const cut = storedFrame(payload).subarray(0, 200_000);
    const { stdout, code } = await run(shell, dataCommand, [Buffer.from('zstd 90\n'), wanted, cut]);
    expect(stdout.toString('latin1')).not.toContain('rooted');
    expect(code).not.toBe(0);
    await expect(rootOf()).rejects.toThrow();
  });

  test('a daemon that cannot run is told at once, while more is still to come', async () => {
    await program('nix-daemon', 'echo "nix-daemon: out of order" >&2; exit 1');
    const began = performance.now();
    const { code, stderr } = await run(shell, dataCommand, [Buffer.from('plain 90\n'), wanted], Infinity);
    expect(code).not.toBe(0);
    expect(stderr).toContain('out of order');
    expect(performance.now() - began).toBeLessThan(6_000);
  });

  test('who sends little by little is not taken for gone, on whatever kernel', async () => {
    await program('nix-daemon', 'exec cat');
    const bytes = payload.subarray(0, 30);
    async function* slowly(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('plain 12\n');
      yield wanted;
      for (const byte of bytes) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        yield Buffer.from([byte]);
      }
    }
    // Not every kernel counts what a process reads.
    const command = dataCommand.replaceAll(/\/proc\/\$reader\/io\b/g, '/nowhere');
    const { stdout, code } = await run(shell, command, slowly(), bytes.length);
    expect(stdout.subarray(0, bytes.length).equals(bytes)).toBe(true);
    expect(code).toBe(0);
  });

  test('who sends nothing for longer than it has said has gone, and the daemon ends', async () => {
    await program('nix-daemon', `exec tail -f /dev/null`);
    const began = performance.now();
    const { code } = await run(shell, dataCommand, [Buffer.from('plain 4\n'), wanted], Infinity);
    expect(code).not.toBe(0);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test.each([
    ['how it is sent', dataCommand, ''],
    ['what is to be rooted', dataCommand, 'plain 90\nd000001\n'],
    ['all that is to be rooted', controlCommand, 'd000001\ntoplevel /nix'],
  ])('who has gone before saying %s starts nothing', async (_, command, input) => {
    await program('nix-daemon', `touch ${folder}/started`);
    const { stdout } = await run(shell, command, [Buffer.from(input)]);
    expect(stdout.toString()).toBe('');
    expect(existsSync(join(folder, 'started'))).toBe(false);
    expect(existsSync(join(folder, 'nix/var/nix/gcroots'))).toBe(false);
  });

  test('a host that lacks something says what there is to know, and then its daemon speaks', async () => {
    await program('nix-daemon', 'echo daemon "$@"; exec cat');
    const { stdout } = await run(shell, controlCommand, [wanted, Buffer.from('question')]);
    expect(stdout.toString()).toMatch(/^free \d+ \d+ \S+\nzstd\nready\ndaemon --stdio\nquestion$/);
    expect(existsSync(join(folder, 'nix/var/nix/gcroots'))).toBe(false);
  });

  test('a host that has it all roots it, and starts no daemon', async () => {
    await program('nix-daemon', 'echo daemon');
    const there = Buffer.from(`d000001\ntoplevel ${folder}\n.\n`);
    const { stdout, code } = await run(shell, controlCommand, [there]);
    expect(stdout.toString()).toBe('rooted\n');
    expect(code).toBe(0);
    expect(await rootOf()).toBe(folder);
  });
});
