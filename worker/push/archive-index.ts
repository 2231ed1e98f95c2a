import { crc32 } from 'node:zlib';

import { skippableFrame, skippableHeaderBytes } from './zstd-frame.ts';

/** A piece of a kept archive. */
export interface IndexEntry {
  /** Where its frame begins in the file. */
  readonly at: number;
  /** Bytes of the archive in it. */
  readonly length: number;
  readonly frameBytes: number;
  /** CRC-32 of the frame: what a disk has spoilt is found here, and not by the host that it was sent to. */
  readonly checksum: number;
}

/** Changes with the format. */
const mark = Buffer.from('varve-1\n');
const entryBytes = 12;
const footerBytes = 8 + mark.byteLength;

/**
 * What stands at the end of a kept archive, in a frame that zstd passes over: for every piece how long it is, how long its
 * frame is, and the frame's checksum; then how many there are, the checksum of all that, and a mark.
 */
export function encodeIndex(entries: readonly IndexEntry[]): Buffer {
  const table = Buffer.alloc(entries.length * entryBytes);
  for (const [i, { length, frameBytes, checksum }] of entries.entries()) {
    table.writeUInt32LE(length, i * entryBytes);
    table.writeUInt32LE(frameBytes, i * entryBytes + 4);
    table.writeUInt32LE(checksum, i * entryBytes + 8);
  }
  const footer = Buffer.alloc(footerBytes);
  footer.writeUInt32LE(entries.length, 0);
  footer.writeUInt32LE(crc32(table), 4);
  footer.set(mark, 8);
  return skippableFrame(Buffer.concat([table, footer]));
}

/** How many bytes at the end of a file are its index, by the last of them; nothing when they are not an index's. */
export function indexBytesOf(tail: Buffer): number | undefined {
  if (tail.byteLength < footerBytes) return undefined;
  const footer = tail.subarray(-footerBytes);
  if (!footer.subarray(8).equals(mark)) return undefined;
  return skippableHeaderBytes + footer.readUInt32LE(0) * entryBytes + footerBytes;
}

/**
 * @param index all of it
 * @param fileBytes how long the whole file is
 * @returns nothing when it is damaged, or is not that of such a file
 */
export function decodeIndex(index: Buffer, fileBytes: number): readonly IndexEntry[] | undefined {
  const table = index.subarray(skippableHeaderBytes, -footerBytes);
  const entries: IndexEntry[] = [];
  let at = 0;
  for (let from = 0; from < table.byteLength; from += entryBytes) {
    const frameBytes = table.readUInt32LE(from + 4);
    entries.push({
      at,
      length: table.readUInt32LE(from),
      frameBytes,
      checksum: table.readUInt32LE(from + 8),
    });
    at += frameBytes;
  }
  const isWhole = at + index.byteLength === fileBytes && encodeIndex(entries).equals(index);
  return isWhole ? entries : undefined;
}
