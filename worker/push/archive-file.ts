import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import type { ArchivePiece } from './archive.ts';
import { decodeIndex, indexBytesOf, type IndexEntry } from './archive-index.ts';

/** The file cannot be written or read, or is not what was written: the archive is to be had in another way. */
export class Unusable extends Error {}

/** Read in one go: a small archive is one read. */
const readBytes = 1024 * 1024;

/**
 * The pieces of a whole archive's file, from the `first` on, a read of about 1 MiB at a time.
 * @throws Unusable when the file is damaged; what was given before is right
 */
export async function* readArchive(
  handle: FileHandle,
  {
    fileBytes,
    narSize,
    first,
  }: { readonly fileBytes: number; readonly narSize: number; readonly first: number },
): AsyncGenerator<ArchivePiece> {
  const tailBytes = Math.min(fileBytes, readBytes);
  const tail = await read(handle, fileBytes - tailBytes, tailBytes);
  const indexBytes = indexBytesOf(tail);
  if (indexBytes === undefined || indexBytes > fileBytes) throw new Unusable('it has no index');
  const index =
    indexBytes <= tailBytes
      ? tail.subarray(-indexBytes)
      : await read(handle, fileBytes - indexBytes, indexBytes);
  const entries = decodeIndex(index, fileBytes);
  if (entries === undefined) throw new Unusable('its index is damaged');
  if (entries.reduce((sum, { length }) => sum + length, 0) !== narSize) {
    throw new Unusable('it is the archive of something else');
  }
  if (tailBytes === fileBytes) {
    yield* piecesIn(tail, 0, entries.slice(first));
    return;
  }
  for (let next = first; next < entries.length;) {
    const pieces = await readPieces(handle, entries, next);
    next += pieces.length;
    yield* pieces;
  }
}

/**
 * Reads the `first` piece, and as many of those after it as go into 1 MiB.
 * @throws Unusable
 */
export async function readPieces(
  handle: FileHandle,
  entries: readonly IndexEntry[],
  first: number,
): Promise<readonly ArchivePiece[]> {
  let end = first;
  let bytes = 0;
  for (let entry = entries[end]; entry !== undefined; entry = entries[end]) {
    if (end > first && bytes + entry.frameBytes > readBytes) break;
    bytes += entry.frameBytes;
    end += 1;
  }
  const at = entries[first]?.at ?? 0;
  return [...piecesIn(await read(handle, at, bytes), at, entries.slice(first, end))];
}

/** @param at where in the file the bytes were */
function* piecesIn(bytes: Buffer, at: number, entries: readonly IndexEntry[]): Generator<ArchivePiece> {
  for (const entry of entries) {
    const frame = bytes.subarray(entry.at - at, entry.at - at + entry.frameBytes);
    if (crc32(frame) !== entry.checksum) throw new Unusable('a piece of it is damaged');
    yield { length: entry.length, frame };
  }
}

async function read(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let got = 0; got < length;) {
    const { bytesRead } = await onDisk(() => handle.read(bytes, got, length - got, at + got));
    if (bytesRead === 0) throw new Unusable('it was cut off');
    got += bytesRead;
  }
  return bytes;
}

/** @throws Unusable */
export async function write(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let put = 0; put < bytes.byteLength;) {
    const { bytesWritten } = await onDisk(() => handle.write(bytes, put, bytes.byteLength - put, at + put));
    put += bytesWritten;
  }
}

/** Does something with a file. @throws Unusable */
export async function onDisk<Value>(act: () => Promise<Value>): Promise<Value> {
  try {
    return await act();
  } catch (cause) {
    throw new Unusable('the disk does not do it', { cause });
  }
}
