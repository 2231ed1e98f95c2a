import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import type { ArchivePiece } from '../../../../worker/push/archives.ts';
import { Unusable } from '../../../../worker/push/archive-file.ts';
import { startMaking, type NewFile } from '../../../../worker/push/making.ts';
import { storedFrame } from '../../../../worker/push/zstd-frame.ts';
import { someBytes } from './archive-bytes.ts';
import { forever } from './archive-stage.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'making-'));
});
afterEach(() => rm(folder, { recursive: true }));

const pieces = Array.from({ length: 6 }, (_, i): ArchivePiece => ({
  length: 1_000,
  frame: storedFrame(someBytes(1_000, i)),
}));

async function create(device?: string): Promise<NewFile> {
  const path = join(folder, 'archive');
  return { path, handle: await open(device ?? path, device === undefined ? 'wx+' : 'r+') };
}

it('a disk that is full ends the making, for its readers to go another way', async () => {
  const failures: unknown[] = [];
  const making = startMaking(
    {
      async *frames() {
        yield* pieces;
      },
      create: () => create('/dev/full'),
      keep: () => Promise.reject(new Error('it is not whole')),
      end: (failure) => void failures.push(failure),
    },
    (make) => make(),
  );
  const read = async (): Promise<void> => {
    for await (const piece of making.read(0, forever)) expect(piece).toBeUndefined();
  };
  await expect(read()).rejects.toBeInstanceOf(Unusable);
  await making.over;
  expect(failures).toMatchObject([{ cause: { code: 'ENOSPC' } }]);
});

it('where only the keeping fails, all readers have it all, and the file is removed', async () => {
  const failures: unknown[] = [];
  const making = startMaking(
    {
      async *frames() {
        yield* pieces;
      },
      create: () => create(),
      keep: () => Promise.reject(new Unusable('no')),
      end: (failure) => void failures.push(failure),
    },
    (make) => make(),
  );
  const got: Buffer[] = [];
  for await (const { frame } of making.read(0, forever)) got.push(Buffer.from(frame));
  expect(Buffer.concat(got).equals(Buffer.concat(pieces.map(({ frame }) => frame)))).toBe(true);
  await making.over;
  expect(failures).toMatchObject([{ message: 'no' }]);
  expect(await readdir(folder)).toEqual([]);
});
