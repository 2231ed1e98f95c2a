import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import {
  createArchives,
  type ArchiveKey,
  type ArchivePiece,
  type Archives,
} from '../../../../worker/push/archives.ts';
import { storedFrame } from '../../../../worker/push/zstd-frame.ts';
import { keyOf, unpacked } from './archive-bytes.ts';

export const pieceBytes = 256 * 1024;

/** The archives of a folder, with a source and a compressor that count, stop and fail as a test wants them to. */
export interface ArchiveStage {
  readonly archives: Archives;
  /** Messages of warnings. */
  readonly warnings: readonly string[];
  /** How often each path was read, and how many pieces were compressed. */
  readonly reads: ReadonlyMap<string, number>;
  compressed(): number;
  /** A path with these bytes; `cut` is the length of its pieces. */
  add(bytes: Buffer, cut?: number): ArchiveKey;
  /** What happens before a piece is read, counted from zero. */
  before(key: ArchiveKey, act: (piece: number) => Promise<void> | void): void;
}

export async function stageArchives(folder: string, maxBytes = 1024 ** 3): Promise<ArchiveStage> {
  const paths = new Map<string, { readonly bytes: Buffer; readonly cut: number }>();
  const acts = new Map<string, (piece: number) => Promise<void> | void>();
  const reads = new Map<string, number>();
  const warnings: string[] = [];
  let compressed = 0;
  const archives = await createArchives({
    folder,
    maxBytes,
    source: {
      async *read(path) {
        reads.set(path, (reads.get(path) ?? 0) + 1);
        const { bytes, cut } = paths.get(path)!;
        for (let piece = 0; piece * cut < bytes.byteLength; piece += 1) {
          await acts.get(path)?.(piece);
          yield bytes.subarray(piece * cut, (piece + 1) * cut);
        }
      },
    },
    compressor: {
      async compress(piece) {
        compressed += 1;
        return storedFrame(piece);
      },
    },
    log: { warn: (_, message) => void warnings.push(message) },
  });
  return {
    archives,
    warnings,
    reads,
    compressed: () => compressed,
    add(bytes, cut = pieceBytes) {
      const key = keyOf(bytes);
      paths.set(key.path, { bytes, cut });
      return key;
    },
    before: (key, act) => void acts.set(key.path, act),
  };
}

export const forever = new AbortController().signal;

export async function piecesOf(
  archives: Archives,
  key: ArchiveKey,
  signal = forever,
): Promise<readonly ArchivePiece[]> {
  const pieces: ArchivePiece[] = [];
  for await (const piece of archives.pieces(key, signal)) pieces.push(piece);
  return pieces;
}

/** The archive, as a host that unpacks all frames gets it. */
export async function bytesOf(archives: Archives, key: ArchiveKey, signal = forever): Promise<Buffer> {
  const pieces = await piecesOf(archives, key, signal);
  return unpacked(Buffer.concat(pieces.map(({ frame }) => frame)));
}

/** The files under a folder. */
export async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Where the archive is kept. */
export function placeOf(folder: string, { narHash }: ArchiveKey): string {
  return join(folder, narHash);
}

/** Files of a folder that this process has open. */
export async function openUnder(folder: string): Promise<readonly string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const files = descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
  return (await Promise.all(files)).filter((file) => file.startsWith(folder));
}

/** Holds up whoever comes to it until it is opened. */
export function createGate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
