import { mkdir, mkdtemp, open, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ArchiveKey, ArchivePiece } from '../../../../worker/push/archives.ts';
import { eventually } from '../../../support/eventually.ts';
import { someBytes, unpacked } from './archive-bytes.ts';
import {
  bytesOf,
  filesUnder,
  forever,
  openUnder,
  pieceBytes,
  piecesOf,
  placeOf,
  stageArchives,
  type ArchiveStage,
} from './archive-stage.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archives-'));
});
afterEach(async () => {
  await eventually(async () => (await openUnder(folder)).length === 0, {
    what: 'no archive is left open',
    deadlineMs: 5_000,
  });
  await rm(folder, { recursive: true });
});

async function keep(stage: ArchiveStage, bytes: Buffer): Promise<ArchiveKey> {
  const key = stage.add(bytes);
  await piecesOf(stage.archives, key);
  await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
  return key;
}

describe('a kept archive', () => {
  it.each([
    ['small', 1_000],
    ['of several reads', 13 * pieceBytes + 7],
  ])('that is %s is not made again, nor by the next process', async (_, size) => {
    const bytes = someBytes(size);
    const stage = await stageArchives(folder);
    const key = await keep(stage, bytes);
    expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
    expect(stage.reads.get(key.path)).toBe(1);
    await stage.archives.close();
    const next = await stageArchives(folder);
    next.add(bytes);
    expect(next.archives.has(key)).toBe(true);
    expect((await bytesOf(next.archives, key)).equals(bytes)).toBe(true);
    expect(next.reads.size).toBe(0);
  });

  it('is read in pieces of the same lengths as it was made in', async () => {
    const stage = await stageArchives(folder);
    const key = stage.add(someBytes(5 * pieceBytes + 7));
    const lengths = (pieces: readonly ArchivePiece[]): readonly number[] =>
      pieces.map(({ length }) => length);
    const made = lengths(await piecesOf(stage.archives, key));
    await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
    expect(lengths(await piecesOf(stage.archives, key))).toEqual(made);
  });

  it('is missed by nobody when somebody else removed it', async () => {
    const bytes = someBytes(1_000);
    const stage = await stageArchives(folder);
    const key = await keep(stage, bytes);
    await rm(placeOf(folder, key));
    expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
    expect(stage.reads.get(key.path)).toBe(2);
  });
});

describe('when there is no more room', () => {
  const size = 100_000;
  /** For three, not for four. */
  const room = 3.5 * size;

  async function kept(stage: ArchiveStage, keys: readonly ArchiveKey[]): Promise<readonly boolean[]> {
    const files = await filesUnder(folder);
    for (const key of keys) {
      expect(files.includes(placeOf(folder, key))).toBe(stage.archives.has(key));
    }
    return keys.map((key) => stage.archives.has(key));
  }

  it('the archive that was used longest ago goes', async () => {
    const stage = await stageArchives(folder, room);
    const keys = [];
    for (const seed of [1, 2, 3]) keys.push(await keep(stage, someBytes(size, seed)));
    await piecesOf(stage.archives, keys[0]!);
    keys.push(await keep(stage, someBytes(size, 4)));
    await eventually(async () => (await filesUnder(folder)).length === 3, {
      what: 'three files',
      deadlineMs: 5_000,
    });
    expect(await kept(stage, keys)).toEqual([true, false, true, true]);
  });

  it('the next process knows which one that is', async () => {
    const first = await stageArchives(folder, room);
    const keys: ArchiveKey[] = [];
    for (const seed of [1, 2, 3]) keys.push(await keep(first, someBytes(size, seed)));
    for (const key of keys) await utimes(placeOf(folder, key), 1_000, 1_000);
    await piecesOf(first.archives, keys[1]!);
    await piecesOf(first.archives, keys[0]!);
    await first.archives.close();
    const next = await stageArchives(folder, 2.5 * size);
    expect(await kept(next, keys)).toEqual([true, true, false]);
    keys.push(await keep(next, someBytes(size, 4)));
    await eventually(async () => (await filesUnder(folder)).length === 2, {
      what: 'two files',
      deadlineMs: 5_000,
    });
    expect(await kept(next, keys)).toEqual([true, false, false, true]);
  });

  it('an archive that is larger than all of it is given, and no other goes for it', async () => {
    const stage = await stageArchives(folder, room);
    const small = await keep(stage, someBytes(size));
    const large = someBytes(4 * size);
    const key = stage.add(large);
    expect((await bytesOf(stage.archives, key)).equals(large)).toBe(true);
    await eventually(async () => (await filesUnder(folder)).length === 1, {
      what: 'one file',
      deadlineMs: 5_000,
    });
    expect(await kept(stage, [small, key])).toEqual([true, false]);
    expect(stage.warnings).toEqual([]);
  });

  it('one that is being read goes, and is read to its end', async () => {
    const large = someBytes(12 * pieceBytes);
    const stage = await stageArchives(folder, large.byteLength + 1_000);
    const key = await keep(stage, large);
    const reading = stage.archives.pieces(key, forever)[Symbol.asyncIterator]();
    const got = [(await reading.next()).value as ArchivePiece];
    await keep(stage, someBytes(size));
    expect(await kept(stage, [key])).toEqual([false]);
    for await (const piece of { [Symbol.asyncIterator]: () => reading }) got.push(piece);
    expect(unpacked(Buffer.concat(got.map(({ frame }) => frame))).equals(large)).toBe(true);
    expect(stage.reads.get(key.path)).toBe(1);
  });
});

describe('what a process that was killed left', () => {
  it('is removed at the start, and nothing else', async () => {
    const stage = await stageArchives(folder);
    const key = await keep(stage, someBytes(1_000));
    await stage.archives.close();
    await mkdir(join(folder, '.unfinished'), { recursive: true });
    await writeFile(join(folder, '.unfinished', '1'), 'half an archive');
    await writeFile(join(folder, 'notes'), 'of a person');
    const next = await stageArchives(folder);
    expect((await filesUnder(folder)).toSorted()).toEqual(
      [placeOf(folder, key), join(folder, 'notes')].toSorted(),
    );
    await keep(next, someBytes(2_000));
  });
});

describe('a damaged file', () => {
  const bytes = someBytes(13 * pieceBytes + 7);
  const flip = (at: number) => async (file: string) => {
    const handle = await open(file, 'r+');
    try {
      const { size } = await handle.stat();
      const position = at < 0 ? size + at : at;
      const byte = Buffer.alloc(1);
      await handle.read(byte, 0, 1, position);
      await handle.write(Buffer.from([byte.readUInt8(0) ^ 1]), 0, 1, position);
    } finally {
      await handle.close();
    }
  };

  it.each<[string, (file: string) => Promise<void>]>([
    ['is empty', (file) => truncate(file)],
    ['lost its end', (file) => truncate(file, 3_000_000)],
    ['lost a byte of its end', (file) => truncate(file, bytes.byteLength)],
    ['has another mark', flip(-1)],
    ['says to have more pieces than there are', flip(-16)],
    ['says to have very many pieces', flip(-13)],
    ['has another length in its index', flip(-16 - 12)],
    ['has a spoilt first piece', flip(1_000)],
    ['has a spoilt last piece', flip(13 * pieceBytes + 100)],
    ['has a spoilt piece in the middle', flip(9 * pieceBytes)],
    ['is full of zeros', async (file) => writeFile(file, Buffer.alloc(bytes.byteLength))],
  ])(
    'that %s is made again, now and after a start, and whoever reads it does not notice',
    async (_, spoil) => {
      for (const restart of [false, true]) {
        let stage = await stageArchives(folder);
        const key = await keep(stage, bytes);
        await spoil(placeOf(folder, key));
        if (restart) stage = await stageArchives(folder);
        stage.add(bytes);
        const before = stage.reads.get(key.path) ?? 0;
        expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
        await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
        expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
        expect(stage.reads.get(key.path)).toBe(before + 1);
        expect(stage.warnings).toEqual(['a kept archive is damaged and is made again']);
        await rm(folder, { recursive: true });
      }
      await mkdir(folder);
    },
  );

  it('that grew is made again', async () => {
    const first = await stageArchives(folder);
    const key = await keep(first, bytes);
    await writeFile(placeOf(folder, key), 'more', { flag: 'a' });
    const next = await stageArchives(folder);
    next.add(bytes);
    expect((await bytesOf(next.archives, key)).equals(bytes)).toBe(true);
    expect(next.reads.get(key.path)).toBe(1);
  });

  it('that holds another archive is made again', async () => {
    const stage = await stageArchives(folder);
    const [key, other] = [await keep(stage, bytes), await keep(stage, someBytes(13 * pieceBytes))];
    await writeFile(placeOf(folder, key), await readFile(placeOf(folder, other)));
    const next = await stageArchives(folder);
    next.add(bytes);
    expect((await bytesOf(next.archives, key)).equals(bytes)).toBe(true);
    expect(next.reads.get(key.path)).toBe(1);
  });
});

describe('a disk that does not do it', () => {
  it('stops nobody, and is told once', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'no folder');
    const stage = await stageArchives(folder);
    const [one, two] = [someBytes(6 * pieceBytes), someBytes(1_000, 2)];
    const keys = [stage.add(one), stage.add(two)] as const;
    const got = await Promise.all(Array.from({ length: 3 }, () => bytesOf(stage.archives, keys[0])));
    expect(got.every((bytes) => bytes.equals(one))).toBe(true);
    expect((await bytesOf(stage.archives, keys[1])).equals(two)).toBe(true);
    expect(stage.archives.has(keys[0])).toBe(false);
    expect(stage.warnings).toEqual(['archives cannot be kept']);
  });

  it('is told again when it did it meanwhile', async () => {
    const stage = await stageArchives(folder);
    const obstacle = join(folder, '.unfinished');
    for (const seed of [1, 2]) {
      await rm(obstacle, { recursive: true, force: true });
      await writeFile(obstacle, '');
      await piecesOf(stage.archives, stage.add(someBytes(1_000, 10 + seed)));
      await rm(obstacle);
      await keep(stage, someBytes(1_000, seed));
    }
    expect(stage.warnings).toEqual(['archives cannot be kept', 'archives cannot be kept']);
  });

  it('half-way, with a file that is damaged, costs nobody what was given already', async () => {
    const bytes = someBytes(13 * pieceBytes);
    const stage = await stageArchives(folder);
    const key = await keep(stage, bytes);
    const handle = await open(placeOf(folder, key), 'r+');
    await handle.write('spoilt', 9 * pieceBytes);
    await handle.close();
    await rm(join(folder, '.unfinished'), { recursive: true });
    await writeFile(join(folder, '.unfinished'), '');
    const compressed = stage.compressed();
    expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
    // The first six were read in two goes; the third had the spoilt one in it.
    expect(stage.compressed() - compressed).toBe(7);
    expect(stage.warnings).toEqual([
      'a kept archive is damaged and is made again',
      'archives cannot be kept',
    ]);
  });
});
