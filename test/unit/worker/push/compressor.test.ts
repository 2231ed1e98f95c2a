import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createCompressor, type Compressor } from '../../../../worker/push/compressor.ts';
import { eventually } from '../../../support/eventually.ts';
import { plainBytes, someBytes, unpacked } from './archive-bytes.ts';

let compressor: Compressor | undefined;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'compressor-'));
});
afterEach(async () => {
  await compressor?.close();
  await rm(folder, { recursive: true });
});

const threadsHere = (): number =>
  process.getActiveResourcesInfo().filter((what) => what === 'MessagePort').length;

/** What a thread of another kind runs. */
async function threadThat(does: string): Promise<URL> {
  const file = join(folder, 'thread.mjs');
  await writeFile(file, `import { parentPort } from 'node:worker_threads';\n${does}\n`);
  return pathToFileURL(file);
}

describe('compressing', () => {
  it('makes one frame of a piece', async () => {
    compressor = createCompressor({ threads: 1 });
    const bytes = plainBytes(262_144);
    const frame = await compressor.compress(Buffer.from(bytes));
    expect(frame.byteLength).toBeLessThan(1_000);
    expect(unpacked(frame).equals(bytes)).toBe(true);
  });

  it('stores what gets hardly smaller, and is none the larger for it', async () => {
    compressor = createCompressor({ threads: 1 });
    for (const size of [0, 1, 300, 262_144]) {
      const bytes = someBytes(size);
      const frame = await compressor.compress(someBytes(size));
      expect(unpacked(frame).equals(bytes)).toBe(true);
      expect(frame.byteLength).toBeLessThanOrEqual(size + 15);
    }
    // A frame of this would be 7 % smaller.
    const little = Buffer.concat([someBytes(244_000), plainBytes(18_144)]);
    const frame = await compressor.compress(Buffer.from(little));
    expect(frame.byteLength).toBe(262_144 + 15);
  });

  it('gives each piece its own frame, however many are asked for at once', async () => {
    const one = (compressor = createCompressor({ threads: 2 }));
    const pieces = Array.from({ length: 40 }, (_, i) => plainBytes(1_000 + i * 977, i));
    const frames = await Promise.all(pieces.map((piece) => one.compress(Buffer.from(piece))));
    expect(unpacked(Buffer.concat(frames)).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('moves a piece instead of copying it, unless it shares its memory', async () => {
    compressor = createCompressor({ threads: 1 });
    const alone = Buffer.allocUnsafeSlow(100_000).fill(7);
    const whole = Buffer.allocUnsafeSlow(100_000).fill(8);
    const frames = [
      await compressor.compress(alone),
      await compressor.compress(whole.subarray(10, 20_000)),
    ] as const;
    expect(alone.byteLength).toBe(0);
    expect(whole.every((byte) => byte === 8)).toBe(true);
    expect(unpacked(frames[1]).equals(Buffer.alloc(19_990, 8))).toBe(true);
  });
});

describe('the threads', () => {
  it('are none before there is something to do, and no more than were allowed', async () => {
    const before = threadsHere();
    const one = (compressor = createCompressor({ threads: 2 }));
    expect(threadsHere()).toBe(before);
    const frames = Array.from({ length: 8 }, () => one.compress(plainBytes(50_000)));
    expect(threadsHere()).toBe(before + 2);
    await Promise.all(frames);
  });

  it('end when they have nothing to do for a while, and come back', async () => {
    const before = threadsHere();
    compressor = createCompressor({ threads: 2, idleMs: 1 });
    await compressor.compress(plainBytes(1_000));
    await eventually(() => threadsHere() === before, { what: 'no thread', deadlineMs: 5_000 });
    const frame = await compressor.compress(plainBytes(1_000));
    expect(unpacked(frame).equals(plainBytes(1_000))).toBe(true);
  });

  it('do not end while they work, however long it takes them', async () => {
    const script = await threadThat(`
      parentPort.on('message', (piece) => {
        setTimeout(() => parentPort.postMessage({ isFrame: true, bytes: piece }), 200);
      });
    `);
    compressor = createCompressor({ threads: 1, idleMs: 50, script });
    await compressor.compress(Buffer.alloc(1, 1));
    await expect(compressor.compress(Buffer.alloc(1, 2))).resolves.toEqual(new Uint8Array([2]));
  });

  it('that die take with them what they had, and others come', async () => {
    const script = await threadThat(`
      parentPort.on('message', (piece) => {
        if (piece[0] === 0) throw new Error('out of order');
        parentPort.postMessage({ isFrame: true, bytes: piece });
      });
    `);
    compressor = createCompressor({ threads: 1, script });
    const [good, bad, behind] = [1, 0, 2].map((first) => compressor?.compress(Buffer.alloc(10, first)));
    await expect(good).resolves.toEqual(new Uint8Array(10).fill(1));
    const told = { code: 'INTERNAL', disposition: 'transient', cause: { message: 'out of order' } };
    await Promise.all([expect(bad).rejects.toMatchObject(told), expect(behind).rejects.toMatchObject(told)]);
    await expect(compressor.compress(Buffer.alloc(10, 3))).resolves.toEqual(new Uint8Array(10).fill(3));
  });

  it('that leave without a word are missed as well', async () => {
    const script = await threadThat(`parentPort.on('message', () => process.exit(3));`);
    compressor = createCompressor({ threads: 1, script });
    await expect(compressor.compress(Buffer.alloc(10))).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('end at once when all is closed, and who waits is told', async () => {
    const script = await threadThat(`parentPort.on('message', () => {});`);
    compressor = createCompressor({ threads: 1, script });
    const [given] = await Promise.allSettled([compressor.compress(Buffer.alloc(10)), compressor.close()]);
    expect(given).toMatchObject({ status: 'rejected', reason: { code: 'CANCELLED' } });
    await expect(compressor.compress(Buffer.alloc(10))).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
