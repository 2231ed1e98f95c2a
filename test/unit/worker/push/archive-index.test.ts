import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  decodeIndex,
  encodeIndex,
  indexBytesOf,
  type IndexEntry,
} from '../../../../worker/push/archive-index.ts';

const entriesOf = (lengths: readonly (readonly [number, number, number])[]): readonly IndexEntry[] => {
  let at = 0;
  return lengths.map(([length, frameBytes, checksum]) => {
    const entry = { at, length, frameBytes, checksum };
    at += frameBytes;
    return entry;
  });
};
const length = fc.integer({ min: 0, max: 300_000 });
const someEntries = fc
  .array(fc.tuple(length, length, fc.integer({ min: 0, max: 0xffffffff })), { maxLength: 20 })
  .map(entriesOf);
const framesOf = (entries: readonly IndexEntry[]): number =>
  entries.reduce((sum, { frameBytes }) => sum + frameBytes, 0);

describe('the index of an archive', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(someEntries, (entries) => {
        const index = encodeIndex(entries);
        expect(indexBytesOf(Buffer.concat([Buffer.from('frames'), index]))).toBe(index.byteLength);
        expect(decodeIndex(index, framesOf(entries) + index.byteLength)).toEqual(entries);
      }),
    );
  });

  it('is none when it belongs to a file of another length', () => {
    fc.assert(
      fc.property(someEntries, fc.integer({ min: -9, max: 9 }), (entries, more) => {
        fc.pre(more !== 0);
        const index = encodeIndex(entries);
        expect(decodeIndex(index, framesOf(entries) + index.byteLength + more)).toBeUndefined();
      }),
    );
  });

  it('is none when one bit of it has changed', () => {
    fc.assert(
      fc.property(someEntries, fc.nat(), fc.nat(7), (entries, where, bit) => {
        const index = encodeIndex(entries);
        const fileBytes = framesOf(entries) + index.byteLength;
        const at = where % index.byteLength;
        index.writeUInt8(index.readUInt8(at) ^ (1 << bit), at);
        const isWhole =
          indexBytesOf(index) === index.byteLength && decodeIndex(index, fileBytes) !== undefined;
        expect(isWhole).toBe(false);
      }),
    );
  });
});
