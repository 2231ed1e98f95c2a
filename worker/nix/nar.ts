import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  read as readWithCallback,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';

import { FleetError } from '../../shared/domain/errors.ts';
import { createPieces, type Pieces } from './pieces.ts';
import { encodeNumber, encodeText, padding } from './protocol/wire.ts';
import { storeError } from './store-error.ts';

/** Small pieces take five times as long through a channel of SSH. */
const pieceBytes = 256 * 1024;
/** Files up to this size are read in a call that waits: a turn of the event loop costs more than the call. */
const smallBytes = 64 * 1024;
/** How long it goes on before others get their turn. */
const stretchMs = 5;

/**
 * A path of the file system as a Nix archive: folders, links, and files with whether their owner may execute them.
 * (The manual of Nix, "Nix Archive (NAR) format"; libutil/archive.cc; compared with what `nix-store --dump` writes.)
 * Every piece has 256 KiB, except for the last one, which has at most as much. The memory that it takes depends on how
 * many entries one folder has, and not on their sizes.
 * @throws FleetError INTERNAL when the path cannot be read, changes meanwhile, or has in it what no archive can hold;
 * what was given until then is to be thrown away
 */
export async function* archiveOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = createPieces(pieceBytes);
  let until = performance.now() + stretchMs;
  try {
    pieces.put(magic);
    for (const large of putNode(Buffer.from(path).toString('latin1'), pieces)) {
      if (large !== undefined) yield* readLarge(large, pieces);
      for (const piece of pieces.takeFull()) yield piece;
      if (performance.now() < until) continue;
      await setImmediate();
      until = performance.now() + stretchMs;
    }
    const rest = pieces.rest();
    if (rest.length > 0) yield rest;
  } catch (thrown) {
    if (thrown instanceof FleetError) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw storeError(`no archive can be made of ${path}`, why, thrown);
  }
}

function texts(...values: readonly string[]): Buffer {
  return Buffer.concat(values.map(encodeText));
}

const magic = texts('nix-archive-1');
const fileStart = texts('(', 'type', 'regular', 'contents');
const executableStart = texts('(', 'type', 'regular', 'executable', '', 'contents');
const linkStart = texts('(', 'type', 'symlink', 'target');
const folderStart = texts('(', 'type', 'directory');
const entryStart = texts('entry', '(', 'name');
const entryNode = texts('node');
const end = texts(')');
const zeros = Buffer.alloc(8);

/** A file whose contents are to be put next. */
interface LargeFile {
  readonly path: Buffer;
  readonly size: number;
}

/**
 * Puts a path with all that is in it. It stops after each entry, and where a large file comes next.
 * @param path each character is one byte of it: names are in any encoding, or none
 */
function* putNode(path: string, pieces: Pieces): Generator<LargeFile | undefined, void, undefined> {
  const bytes = Buffer.from(path, 'latin1');
  const stats = lstatSync(bytes);
  if (stats.isFile()) {
    const { size } = stats;
    pieces.put((stats.mode & constants.S_IXUSR) === 0 ? fileStart : executableStart);
    pieces.put(encodeNumber(size));
    if (size > smallBytes) yield { path: bytes, size };
    else putSmall(bytes, size, pieces);
    pieces.put(zeros.subarray(0, padding(size)));
  } else if (stats.isSymbolicLink()) {
    pieces.put(linkStart);
    pieces.putText(readlinkSync(bytes, 'buffer'));
  } else if (stats.isDirectory()) {
    pieces.put(folderStart);
    // The order of the characters is that of the bytes.
    for (const name of readdirSync(bytes, 'latin1').sort()) {
      pieces.put(entryStart);
      pieces.putText(Buffer.from(name, 'latin1'));
      pieces.put(entryNode);
      yield* putNode(`${path}/${name}`, pieces);
      pieces.put(end);
    }
  } else throw unfit(bytes);
  pieces.put(end);
  yield undefined;
}

/** What was put in the file's place since it was looked at is neither followed nor waited for. */
const asFile = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** One byte more than any small file has, to see whether it has grown. Nothing is awaited while it is in use. */
const small = Buffer.allocUnsafe(smallBytes + 1);

function putSmall(path: Buffer, size: number, pieces: Pieces): void {
  const descriptor = openSync(path, asFile);
  try {
    const have = readSmall(descriptor, size + 1);
    if (have !== size) throw changed(path, size, have);
    pieces.put(small.subarray(0, size));
  } finally {
    closeSync(descriptor);
  }
}

/** How many bytes there are, up to what is wanted. A network's file system may give them bit by bit. */
function readSmall(descriptor: number, wanted: number): number {
  let have = 0;
  while (have < wanted) {
    const bytes = readSync(descriptor, small, have, wanted - have, null);
    if (bytes === 0) break;
    have += bytes;
  }
  return have;
}

const read = promisify(readWithCallback);

/** Reads a file right into the pieces. */
async function* readLarge(
  { path, size }: LargeFile,
  pieces: Pieces,
): AsyncGenerator<Uint8Array, void, undefined> {
  const descriptor = openSync(path, asFile);
  try {
    for (let have = 0; have < size;) {
      const room = pieces.room();
      const { bytesRead } = await read(descriptor, room, 0, Math.min(room.length, size - have), null);
      if (bytesRead === 0) throw changed(path, size, have);
      have += bytesRead;
      pieces.advance(bytesRead);
      for (const piece of pieces.takeFull()) yield piece;
    }
    const { bytesRead } = await read(descriptor, Buffer.alloc(1), 0, 1, null);
    if (bytesRead > 0) throw changed(path, size, size + bytesRead);
  } finally {
    closeSync(descriptor);
  }
}

function changed(path: Buffer, size: number, have: number): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `${path.toString()} changed while it was read: it had ${size} bytes, and then ${have > size ? 'more' : 'fewer'}`,
    hint: 'nothing may change in a store but by Nix: `nix store verify --all` on the worker finds what has',
  });
}

function unfit(path: Buffer): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'stalled',
    message: `${path.toString()} is neither a file, nor a folder, nor a link: no archive can hold it`,
    hint: 'nothing may change in a store but by Nix: `nix store verify --all` on the worker finds what has',
  });
}
