import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createArchives, type ArchivePiece } from '../../../../worker/push/archives.ts';
import { createCompressor } from '../../../../worker/push/compressor.ts';
import { eventually } from '../../../support/eventually.ts';
import { keyOf, plainBytes, someBytes, unpacked } from './archive-bytes.ts';
import {
  bytesOf,
  createGate,
  filesUnder,
  forever,
  openUnder,
  pieceBytes,
  piecesOf,
  placeOf,
  stageArchives,
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

const lengthsOf = (pieces: readonly ArchivePiece[]): readonly number[] => pieces.map(({ length }) => length);

describe('an archive', () => {
  it('is given piece by piece, each a frame by itself', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(2 * pieceBytes + 5);
    const pieces = await piecesOf(stage.archives, stage.add(bytes));
    expect(lengthsOf(pieces)).toEqual([pieceBytes, pieceBytes, 5]);
    for (const [i, { length, frame }] of pieces.entries()) {
      const part = bytes.subarray(i * pieceBytes, i * pieceBytes + length);
      expect(unpacked(frame).equals(part)).toBe(true);
    }
  });

  it('is kept as a file that zstd unpacks as it is', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(3 * pieceBytes + 1);
    const key = stage.add(bytes);
    await piecesOf(stage.archives, key);
    await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
    expect(unpacked(await readFile(placeOf(folder, key))).equals(bytes)).toBe(true);
  });

  it('comes back the same whatever it holds and however it was cut, while it is made and when it is kept', async () => {
    const compressor = createCompressor({ threads: 2 });
    const given = new Map<string, readonly Uint8Array[]>();
    const archives = await createArchives({
      folder,
      maxBytes: 1024 ** 3,
      source: {
        async *read(path) {
          for (const piece of given.get(path)!) yield Buffer.from(piece);
        },
      },
      compressor,
    });
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.integer({ min: 0, max: 400_000 }), fc.nat(9)).map(([size, seed]) => plainBytes(size, seed)),
      fc.tuple(fc.integer({ min: 0, max: 400_000 }), fc.nat(9)).map(([size, seed]) => someBytes(size, seed)),
    );
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 8 }), async (pieces) => {
          const bytes = Buffer.concat(pieces);
          const key = keyOf(bytes);
          given.set(key.path, pieces);
          for (let time = 0; time < 2; time += 1) {
            expect((await bytesOf(archives, key)).equals(bytes)).toBe(true);
            await eventually(() => archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
          }
        }),
        { numRuns: 25 },
      );
    } finally {
      await archives.close();
      await compressor.close();
    }
  });
});

describe('those that want the same archive', () => {
  it('share one reading of the path, and one compression of each piece', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(9 * pieceBytes);
    const key = stage.add(bytes);
    const all = await Promise.all(Array.from({ length: 10 }, () => bytesOf(stage.archives, key)));
    expect(all.every((got) => got.equals(bytes))).toBe(true);
    expect(stage.reads.get(key.path)).toBe(1);
    expect(stage.compressed()).toBe(9);
  });

  it('are given what is there when they come in the middle, and the rest when it is', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(12 * pieceBytes);
    const key = stage.add(bytes);
    const { open, opened } = createGate();
    stage.before(key, (piece) => (piece === 10 ? opened : undefined));
    const first = bytesOf(stage.archives, key);
    await eventually(() => stage.compressed() === 10, { what: 'the making stands still', deadlineMs: 5_000 });
    const late = stage.archives.pieces(key, forever)[Symbol.asyncIterator]();
    // Ten were read; those that wait for their turn are not given yet.
    const early = [];
    for (let i = 0; i < 6; i += 1) early.push((await late.next()).value as ArchivePiece);
    open();
    for await (const piece of { [Symbol.asyncIterator]: () => late }) early.push(piece);
    expect(unpacked(Buffer.concat(early.map(({ frame }) => frame))).equals(bytes)).toBe(true);
    expect((await first).equals(bytes)).toBe(true);
    expect(stage.reads.get(key.path)).toBe(1);
  });

  it('do not hold each other up: the slowest reads it from the file', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(20 * pieceBytes);
    const key = stage.add(bytes);
    const slow = stage.archives.pieces(key, forever)[Symbol.asyncIterator]();
    const got = [(await slow.next()).value as ArchivePiece];
    expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
    await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
    for await (const piece of { [Symbol.asyncIterator]: () => slow }) got.push(piece);
    expect(unpacked(Buffer.concat(got.map(({ frame }) => frame))).equals(bytes)).toBe(true);
    expect(stage.reads.get(key.path)).toBe(1);
  });

  it('may leave half-way: the others get it all', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(9 * pieceBytes);
    const key = stage.add(bytes);
    const leave = async (): Promise<void> => {
      for await (const piece of stage.archives.pieces(key, forever)) if (piece.length > 0) break;
    };
    const [, got] = await Promise.all([leave(), bytesOf(stage.archives, key)]);
    expect(got.equals(bytes)).toBe(true);
  });

  it('may all leave: it is made to its end', async () => {
    const stage = await stageArchives(folder);
    const key = stage.add(someBytes(9 * pieceBytes));
    for await (const piece of stage.archives.pieces(key, forever)) if (piece.length > 0) break;
    await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
    await piecesOf(stage.archives, key);
    expect(stage.reads.get(key.path)).toBe(1);
  });

  it('leave at once when their signal says so, whatever the making waits for', async () => {
    const stage = await stageArchives(folder);
    const key = stage.add(someBytes(3 * pieceBytes));
    const { open, opened } = createGate();
    stage.before(key, () => opened);
    const leaving = new AbortController();
    const abort = async (): Promise<void> => {
      await eventually(() => stage.reads.get(key.path), { what: 'the making has begun', deadlineMs: 5_000 });
      leaving.abort();
    };
    const [left] = await Promise.allSettled([piecesOf(stage.archives, key, leaving.signal), abort()]);
    expect(left).toMatchObject({ status: 'rejected', reason: { code: 'CANCELLED' } });
    await expect(piecesOf(stage.archives, key, leaving.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    open();
    await eventually(() => stage.archives.has(key), { what: 'it is kept', deadlineMs: 5_000 });
  });
});

describe('an archive that cannot be made', () => {
  it('fails for all that wait for it, is not kept, and is tried again for the next', async () => {
    const stage = await stageArchives(folder);
    const bytes = someBytes(9 * pieceBytes);
    const key = stage.add(bytes);
    const gone = new Error('the path is gone');
    stage.before(key, (piece) => {
      if (piece === 7) throw gone;
    });
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => piecesOf(stage.archives, key)));
    expect(all).toEqual(Array.from({ length: 10 }, () => ({ status: 'rejected', reason: gone })));
    expect(stage.reads.get(key.path)).toBe(1);
    await eventually(async () => (await filesUnder(folder)).length === 0, {
      what: 'nothing is kept',
      deadlineMs: 5_000,
    });
    expect(stage.archives.has(key)).toBe(false);
    stage.before(key, () => {});
    expect((await bytesOf(stage.archives, key)).equals(bytes)).toBe(true);
    expect(stage.warnings).toEqual([]);
  });

  it('because a thread died with its pieces fails as well', async () => {
    const died = new Error('the thread died');
    const pieces = Array.from({ length: 9 }, (_, i) => someBytes(10, i));
    const archives = await createArchives({
      folder,
      maxBytes: 1024,
      source: {
        async *read() {
          yield* pieces;
        },
      },
      compressor: { compress: () => Promise.reject(died) },
    });
    await expect(piecesOf(archives, keyOf(Buffer.concat(pieces)))).rejects.toBe(died);
    await archives.close();
  });

  const whole = someBytes(7 * pieceBytes);
  it.each([
    ['has other contents', 'its contents are others', someBytes(whole.byteLength, 2)],
    ['is a byte too short', 'it is smaller', whole.subarray(0, -1)],
    ['is a byte too long', 'it is larger', Buffer.concat([whole, Buffer.from('.')])],
    ['is twice as long', 'it is larger', Buffer.concat([whole, whole])],
  ])(
    'because the path %s is told as damage in the store, and nobody gets all of it',
    async (_, how, damaged) => {
      const stage = await stageArchives(folder);
      const { path } = stage.add(damaged);
      const key = { ...keyOf(whole), path };
      const got: number[] = [];
      const read = async (): Promise<void> => {
        for await (const { length } of stage.archives.pieces(key, forever)) got.push(length);
      };
      await expect(read()).rejects.toMatchObject({
        code: 'PUSH_FAILED',
        disposition: 'transient',
        message: expect.stringMatching(`^${path} is damaged.*${how}$`),
        hint: expect.stringMatching(/nix-store --verify-path .* nix-store --repair-path /),
      });
      expect(got.reduce((sum, length) => sum + length, 0)).toBeLessThan(whole.byteLength);
      await eventually(async () => (await filesUnder(folder)).length === 0, {
        what: 'nothing is kept',
        deadlineMs: 5_000,
      });
    },
  );
});

describe('closing', () => {
  it('gives up what is made, tells those that wait, and leaves nothing', async () => {
    const stage = await stageArchives(folder);
    const key = stage.add(someBytes(9 * pieceBytes));
    const { open, opened } = createGate();
    stage.before(key, (piece) => (piece === 8 ? opened : undefined));
    const close = async (): Promise<void> => {
      await eventually(() => stage.compressed() === 8, { what: 'it stands still', deadlineMs: 5_000 });
      const closed = stage.archives.close();
      open();
      await closed;
    };
    const [told, closed] = await Promise.allSettled([piecesOf(stage.archives, key), close()]);
    expect(told).toMatchObject({ status: 'rejected', reason: { code: 'CANCELLED' } });
    expect(closed.status).toBe('fulfilled');
    expect(await filesUnder(folder)).toEqual([]);
    await expect(piecesOf(stage.archives, key)).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
