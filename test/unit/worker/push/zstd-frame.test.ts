import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { decompress, init } from '@bokuweb/zstd-wasm';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { skippableFrame, storedFrame } from '../../../../worker/push/zstd-frame.ts';
import { someBytes, unpacked } from './archive-bytes.ts';

beforeAll(() => init());

/** Where the length of the content or the number of blocks changes how a frame is written, and what lies between. */
const sizes = fc.oneof(
  fc.constantFrom(0, 1, 255, 256, 257, 65_791, 65_792, 131_071, 131_072, 131_073, 262_144, 262_145),
  fc.integer({ min: 0, max: 400 * 1024 }),
);

describe('a stored frame', () => {
  it('is what zstd, and what we compress with, unpack to what went in', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const bytes = someBytes(size);
        const frame = storedFrame(bytes);
        expect(unpacked(frame).equals(bytes)).toBe(true);
        expect(Buffer.from(decompress(frame)).equals(bytes)).toBe(true);
        expect(frame.byteLength).toBeLessThanOrEqual(size + 24);
      }),
      { numRuns: 60 },
    );
  });

  it('costs 15 bytes for a piece of 256 KiB', () => {
    expect(storedFrame(someBytes(262_144)).byteLength).toBe(262_144 + 15);
  });

  it('says how long it is, so that nobody reserves more memory', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'frame-'));
    try {
      await writeFile(join(folder, 'frame.zst'), storedFrame(someBytes(300_000)));
      const listed = execFileSync('zstd', ['-lv', join(folder, 'frame.zst')]).toString();
      expect(listed).toMatch(/Decompressed Size:.*\(300000 B\)/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

it('a skippable frame is nothing to zstd, wherever it is', () => {
  const [left, right] = [someBytes(1_000), someBytes(70_000)];
  const note = skippableFrame(Buffer.from('a note'));
  const packed = Buffer.concat([note, storedFrame(left), note, storedFrame(right), note]);
  expect(unpacked(packed).equals(Buffer.concat([left, right]))).toBe(true);
});
