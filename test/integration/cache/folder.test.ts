import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { CacheFile } from '../../../worker/cache/cache-target.ts';
import { createFolderTarget } from '../../../worker/cache/folder-target.ts';
import { traceCalls } from '../../support/process-trace.ts';

const never = new AbortController().signal;
const nar = 'nar/abc.nar.zst';
const narinfo = 'abc.narinfo';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'varve-folder-cache-'));
  folder = join(parent, 'cache');
});
afterEach(() => rm(parent, { recursive: true }));

function fileOf(text: string, read?: () => AsyncIterable<Uint8Array>): CacheFile {
  const bytes = Buffer.from(text);
  return {
    type: 'text/plain',
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    read:
      read ??
      async function* () {
        yield bytes;
      },
  };
}

const unfinished = (): Promise<string[]> => readdir(join(folder, '.varve-unfinished'));

test('a file is on the disk before it has its name, and its name before the next file', async () => {
  const target = createFolderTarget(folder);
  const calls = ['fsync', 'fdatasync', 'rename', 'renameat', 'renameat2'];
  const trace = await traceCalls([process.pid], calls);
  await target.put(nar, fileOf('archive'), never);
  await target.put(narinfo, fileOf('info'), never);
  const lines = (await trace.end()).split('\n').filter((line) => line.includes(parent));
  const told = lines.map((line) => {
    const [, call = '', rest = ''] = /^\d+ +(\w+)\((.*)/.exec(line) ?? [];
    const paths = [...rest.matchAll(/[<"](\/[^>"]*)[>"]/g)].map(([, path = '']) => path.slice(parent.length));
    return [call.replace(/at2?$/, ''), ...paths.map((path) => path.replace(/[-0-9a-f]{36}$/, 'new'))].join(
      ' ',
    );
  });
  // The folders are there to stay, too.
  const at = told.findIndex((line) => line.startsWith('fdatasync'));
  expect(told.slice(0, at)).toEqual(expect.arrayContaining(['fsync ', 'fsync /cache']));
  expect(told.slice(at)).toEqual([
    'fdatasync /cache/.varve-unfinished/new',
    `rename /cache/.varve-unfinished/new /cache/${nar}`,
    'fsync /cache/nar',
    'fdatasync /cache/.varve-unfinished/new',
    `rename /cache/.varve-unfinished/new /cache/${narinfo}`,
    'fsync /cache',
  ]);
  expect(await readFile(join(folder, nar), 'utf8')).toBe('archive');
});

test('what a worker left that was killed is removed by the next one; what is written now is not', async () => {
  await mkdir(join(folder, '.varve-unfinished'), { recursive: true });
  for (const name of ['old', 'new']) await writeFile(join(folder, '.varve-unfinished', name), 'a part');
  const before = Date.now() / 1_000 - 2 * 3_600;
  await utimes(join(folder, '.varve-unfinished', 'old'), before, before);
  await createFolderTarget(folder).put(narinfo, fileOf('info'), never);
  expect(await unfinished()).toEqual(['new']);
});

test('nothing is left of a file that cannot be read to its end, or that nobody wants any more', async () => {
  const target = createFolderTarget(folder);
  const leave = new AbortController();
  const broken = fileOf('archive', async function* () {
    yield Buffer.from('a');
    throw new Error('it is damaged');
  });
  await expect(target.put(nar, broken, never)).rejects.toMatchObject({
    code: 'PUSH_FAILED',
    message: expect.stringContaining('it is damaged') as string,
  });
  const given = fileOf('archive', async function* () {
    yield Buffer.from('a');
    leave.abort();
    yield Buffer.from('b');
  });
  await expect(target.put(nar, given, leave.signal)).rejects.toThrow('aborted');
  expect(await unfinished()).toEqual([]);
  expect(await target.has(nar, never)).toBe(false);
  expect(await target.read(nar, never)).toBeUndefined();
});

test('two workers that put the same there at the same time are not in the way of each other', async () => {
  const targets = [1, 2, 3, 4].map(() => createFolderTarget(folder));
  await Promise.all(targets.map((target) => target.put(narinfo, fileOf('info'), never)));
  expect(await targets[0]?.read(narinfo, never)).toBe('info');
  expect(await unfinished()).toEqual([]);
});
