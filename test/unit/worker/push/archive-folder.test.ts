import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { openArchiveFolder, type ArchiveFolder } from '../../../../worker/push/archive-folder.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'archive-folder-'));
});
afterEach(() => rm(path, { recursive: true }));

const [one, two] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];

async function keep(folder: ArchiveFolder, narHash: string, contents: string): Promise<void> {
  const file = await folder.create();
  await file.handle.write(contents);
  await folder.keep(file, narHash, contents.length);
  await file.handle.close();
}

it('a file that takes the place of another counts once', async () => {
  const folder = await openArchiveFolder({ folder: path, maxBytes: 20 });
  await keep(folder, one, '10 letters');
  for (let time = 0; time < 3; time += 1) await keep(folder, two, '10 letters');
  expect([one, two].map((narHash) => folder.has(narHash))).toEqual([true, true]);
});

it('whoever found a file damaged does not remove the one that took its place', async () => {
  const folder = await openArchiveFolder({ folder: path, maxBytes: 1_000 });
  await keep(folder, one, 'damaged');
  const opened = await folder.open(one);
  await keep(folder, one, 'made again');
  await folder.drop(one, opened!.kept);
  await opened!.handle.close();
  expect(folder.has(one)).toBe(true);
  expect(await readFile(join(path, one), 'utf8')).toBe('made again');
});
