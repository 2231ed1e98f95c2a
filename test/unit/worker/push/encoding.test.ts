import { expect, test } from 'vitest';

import { createPlainEncoder, createZstdEncoder } from '../../../../worker/push/encoding.ts';
import { storedFrame } from '../../../../worker/push/zstd-frame.ts';
import { someBytes, unpacked } from './archive-bytes.ts';

const sizes = [3, 0, 70_000, 262_144, 1, 262_144, 300_000, 8];

test.each([
  ['as it is', createPlainEncoder, (piece: Buffer) => piece, (all: Buffer) => all],
  ['compressed', createZstdEncoder, (piece: Buffer) => storedFrame(piece), unpacked],
])('what is encoded %s is what the other side reads, in order', async (_, create, form, read) => {
  const written: Buffer[] = [];
  const encoder = create(async (bytes) => void written.push(Buffer.from(bytes)));
  const expected: Buffer[] = [];
  for (const [n, size] of sizes.entries()) {
    const head = Buffer.from(`head ${n}`);
    const piece = someBytes(size, n);
    expected.push(head, head, piece);
    await encoder.plain(head);
    await encoder.plain(head);
    await encoder.piece(form(piece));
  }
  await encoder.plain(Buffer.from('end'));
  await encoder.flush();
  expect(read(Buffer.concat(written)).equals(Buffer.concat([...expected, Buffer.from('end')]))).toBe(true);
});

test.each([
  ['as it is', createPlainEncoder],
  ['compressed', createZstdEncoder],
])('what is encoded %s goes out in pieces that are worth their packets', async (_, create) => {
  const written: number[] = [];
  const encoder = create(async (bytes) => void written.push(bytes.length));
  for (let n = 0; n < 2_000; n += 1) {
    await encoder.plain(Buffer.from('a short head'));
    await encoder.piece(storedFrame(someBytes(700, n)));
  }
  await encoder.flush();
  for (const size of written.slice(0, -1)) expect(size).toBeGreaterThanOrEqual(256 * 1024);
});

test('nothing is written where there was nothing', async () => {
  const written: unknown[] = [];
  for (const create of [createPlainEncoder, createZstdEncoder]) {
    const encoder = create(async (bytes) => void written.push(bytes));
    await encoder.flush();
  }
  expect(written).toEqual([]);
});

test('whoever encodes waits as long as the line takes nothing', async () => {
  let take = (): void => {};
  const taken = new Promise<void>((resolve) => {
    take = resolve;
  });
  const encoder = createPlainEncoder(() => taken);
  let isDone = false;
  const adding = encoder.piece(Buffer.alloc(300_000)).then(() => {
    isDone = true;
  });
  await new Promise(setImmediate);
  expect(isDone).toBe(false);
  take();
  await adding;
});
