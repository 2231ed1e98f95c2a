import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRedis, parseRedisAddress } from '../../../shared/platform/redis/client.ts';
import { type EmbeddedRedis, startEmbeddedRedis } from '../../../shared/platform/redis/embedded.ts';
import { eventually } from '../../support/eventually.ts';
import { quiet } from '../../support/redis.ts';

const program = fileURLToPath(new URL('embedded-parent.ts', import.meta.url));

describe('the embedded Redis', () => {
  let folder: string;
  const closers: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-embedded-'));
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(change: { folder?: string; keepAlive?: boolean } = {}): Promise<EmbeddedRedis> {
    const redis = await startEmbeddedRedis({ folder, logger: quiet, ...change });
    closers.push(() => redis.close());
    return redis;
  }

  async function connected(redis: EmbeddedRedis) {
    const connection = connectRedis({
      address: parseRedisAddress(redis.address),
      logger: quiet,
      name: 'test',
    });
    closers.push(() => connection.close());
    await connection.ready(10_000);
    return connection;
  }

  test('keeps what was written, also when it is killed, and never evicts', async () => {
    const first = await start();
    const redis = await connected(first);
    await redis.commands.set('kept', 'yes');
    expect(await redis.commands.config('GET', 'maxmemory-policy')).toContain('noeviction');
    const pid = first.pid();
    if (pid === undefined) throw new Error('it does not run');
    process.kill(pid, 'SIGKILL');
    await first.ended();
    expect(first.pid()).toBeUndefined();

    const second = await start();
    await redis.ready(10_000);
    expect(await redis.commands.get('kept')).toBe('yes');
    await second.close();

    await start();
    await redis.ready(10_000);
    expect(await redis.commands.get('kept')).toBe('yes');
  });

  test('listens on no port, and nobody else may open its socket or folder', async () => {
    const open = await mkdtemp(join(tmpdir(), 'varve-open-'));
    closers.push(() => rm(open, { recursive: true, force: true }));
    await chmod(open, 0o755);
    const server = await start({ folder: open });
    const redis = await connected(server);
    expect(await redis.commands.config('GET', 'port')).toContain('0');
    const socket = server.address.slice('unix:'.length);
    expect((await stat(socket)).mode & 0o077).toBe(0);
    expect((await stat(open)).mode & 0o077).toBe(0);
  });

  test('is gone when it was closed, socket and all', async () => {
    const server = await start();
    const pid = server.pid();
    await server.close();
    expect(pid === undefined ? true : alive(pid)).toBe(false);
    await expect(stat(server.address.slice('unix:'.length))).rejects.toMatchObject({ code: 'ENOENT' });
    await server.close();
  });

  test('a folder whose path is too long for a socket does as well', async () => {
    const deep = join(folder, 'a'.repeat(60), 'b'.repeat(60));
    const server = await start({ folder: deep });
    expect(server.address.length).toBeLessThan(100);
    const redis = await connected(server);
    await redis.commands.set('kept', 'yes');
    expect((await stat(join(deep, 'appendonlydir'))).isDirectory()).toBe(true);
  });

  test('a second one in the same folder is refused, with the process that is in the way', async () => {
    const server = await start();
    await expect(start()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`${server.pid()}`),
    });
  }, 20_000);

  test('a process number that a dead server left behind is no obstacle', async () => {
    await writeFile(join(folder, 'redis.pid'), `${process.pid}\n`);
    const server = await start();
    expect(server.pid()).not.toBe(process.pid);
  });

  test('comes back by itself, on the same socket, when it is to be kept alive', async () => {
    const server = await start({ keepAlive: true });
    const redis = await connected(server);
    await redis.commands.set('kept', 'yes');
    for (let i = 0; i < 2; i += 1) {
      const pid = server.pid();
      if (pid === undefined) throw new Error('it does not run');
      process.kill(pid, 'SIGKILL');
      await eventually(() => server.pid() !== undefined && server.pid() !== pid, {
        what: 'another server',
        deadlineMs: 10_000,
      });
      await redis.ready(10_000);
      await eventually(async () => (await redis.commands.get('kept')) === 'yes', {
        what: 'what was kept',
        deadlineMs: 10_000,
      });
    }
    const last = server.pid();
    await server.close();
    expect(last === undefined ? true : alive(last)).toBe(false);
  });

  test('without a server on PATH it says what is missing and how to get it', async () => {
    const empty = join(folder, 'bin');
    await mkdir(empty);
    // A file that cannot be run is none.
    await writeFile(join(empty, 'redis-server'), '');
    const refused = startEmbeddedRedis({ folder, logger: quiet, path: `relative:${empty}` });
    await expect(refused).rejects.toMatchObject({
      name: 'FleetError',
      code: 'PROGRAM_MISSING',
      disposition: 'stalled',
      hint: expect.stringMatching(/apt-get install redis-server[^]*nixpkgs#valkey[^]*dnf[^]*pacman[^]*brew/),
    });
  });

  test('a server that gives up at once is an error with its last words', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'redis-server'), '#!/bin/sh\necho no room left >&2\nexit 1\n', { mode: 0o755 });
    const refused = startEmbeddedRedis({ folder, logger: quiet, path: bin });
    await expect(refused).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('no room left'),
    });
  });

  test.each(['SIGKILL', 'SIGTERM'] as const)('does not outlive a parent that ends by %s', async (signal) => {
    const parent = await startParent(folder);
    closers.push(() => parent.end('SIGKILL'));
    expect(alive(parent.redis)).toBe(true);
    await parent.end(signal);
    await eventually(() => !alive(parent.redis), { what: 'the end of its Redis', deadlineMs: 10_000 });
    // And the next one starts right after it on the same data.
    const next = await startParent(folder);
    closers.push(() => next.end('SIGKILL'));
    await next.end('SIGKILL');
    const redis = await connected(await start());
    expect(Number(await redis.commands.get('starts'))).toBe(2);
  });

  test('works without setpriv', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const real = (process.env['PATH'] ?? '').split(':').map((dir) => join(dir, 'redis-server'));
    for (const file of real) {
      const there = await stat(file).then(
        () => true,
        () => false,
      );
      if (there) await symlink(file, join(bin, 'redis-server')).catch(() => {});
    }
    const server = await startEmbeddedRedis({ folder, logger: quiet, path: bin });
    closers.push(() => server.close());
    const redis = await connected(server);
    expect(await redis.commands.ping()).toBe('PONG');
  });
});

interface Parent {
  readonly redis: number;
  end(signal: NodeJS.Signals): Promise<void>;
}

async function startParent(folder: string): Promise<Parent> {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  if (child.stdout === null) throw new Error('no standard output');
  const [line]: unknown[] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    redis: Number(line),
    async end(signal) {
      child.kill(signal);
      await exited;
    },
  };
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
