import fc from 'fast-check';
import { expect, test } from 'vitest';

import { chunking, inChunks, type Capacity } from '../../../../worker/evaluate/chunks.ts';

const gib = 1024 ** 3;
const machine: Capacity = {
  availableBytes: 18 * gib,
  cores: 4,
  baseBytes: gib,
  hostBytes: gib / 2,
  worthwhile: 4,
};

test('a few hosts take one process', () => {
  expect(chunking(3, machine)).toMatchObject({ parallel: 1, size: 3 });
});

test('many hosts take as many processes as there are cores, if memory lets them', () => {
  expect(chunking(40, machine)).toMatchObject({ parallel: 4, size: 7 });
});

test('a small machine evaluates one host after the other', () => {
  expect(chunking(10, { ...machine, availableBytes: gib / 4 })).toMatchObject({ parallel: 1, size: 1 });
});

test('processes never plan on more memory than there is, unless there is not enough for one host', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 256 }),
      (hosts, cores, gibs) => {
        const capacity = { ...machine, cores, availableBytes: gibs * gib };
        const { parallel, size } = chunking(hosts, capacity);
        expect(parallel).toBeGreaterThanOrEqual(1);
        expect(parallel).toBeLessThanOrEqual(cores);
        expect(size).toBeGreaterThanOrEqual(1);
        const planned = parallel * (capacity.baseBytes + size * capacity.hostBytes);
        if (size > 1) expect(planned).toBeLessThanOrEqual(capacity.availableBytes);
      },
    ),
  );
});

test('chunks hold every item once, in order', () => {
  expect(inChunks([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(inChunks([], 3)).toEqual([]);
});
