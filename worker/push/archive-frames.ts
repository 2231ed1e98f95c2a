import { createHash } from 'node:crypto';

import { FleetError } from '../../shared/domain/errors.ts';
import type { ArchiveKey, ArchivePiece, ArchiveSource } from './archive.ts';
import type { Compressor } from './compressor.ts';

export interface FramesDeps {
  readonly source: ArchiveSource;
  readonly compressor: Pick<Compressor, 'compress'>;
}

/** At most so many are compressed at the same time, and wait for their turn: as many as there are threads at the most. */
const piecesAhead = 4;

/**
 * Makes the pieces of an archive, in order, from the `first` on. The last of them is given only when the whole archive has
 * proved to be the right one: nobody gets all of a damaged one.
 * @throws FleetError PUSH_FAILED when the archive is not what the key says; CANCELLED; what the source throws
 */
export async function* archiveFrames(
  { source, compressor }: FramesDeps,
  key: ArchiveKey,
  first: number,
  signal: AbortSignal,
): AsyncGenerator<ArchivePiece> {
  const hash = createHash('sha256');
  const ahead: Promise<ArchivePiece>[] = [];
  const compress = async (piece: Uint8Array): Promise<ArchivePiece> => {
    // Read before the piece is given away.
    const length = piece.byteLength;
    return { length, frame: await compressor.compress(piece) };
  };
  let pieces = 0;
  let size = 0;
  if (signal.aborted) throw cancelled(key);
  for await (const piece of source.read(key.path)) {
    if (signal.aborted) throw cancelled(key);
    pieces += 1;
    size += piece.byteLength;
    if (size > key.narSize) throw damaged(key, 'it is larger');
    hash.update(piece);
    if (pieces <= first) continue;
    const made = compress(piece);
    // Whoever takes it is told. Nobody does if one before it has failed.
    made.catch(() => {});
    ahead.push(made);
    if (ahead.length > piecesAhead) yield* taken(ahead.splice(0, 1));
  }
  if (size < key.narSize) throw damaged(key, 'it is smaller');
  if (hash.digest('hex') !== key.narHash) throw damaged(key, 'its contents are others');
  yield* taken(ahead);
}

async function* taken(pieces: readonly Promise<ArchivePiece>[]): AsyncGenerator<ArchivePiece> {
  for (const piece of pieces) yield await piece;
}

function damaged({ path }: ArchiveKey, how: string): FleetError {
  return new FleetError({
    code: 'PUSH_FAILED',
    disposition: 'transient',
    message: `${path} is damaged in the worker's store: it is not what was registered there, ${how}`,
    hint: `on the worker, nix-store --verify-path ${path} shows it, and nix-store --repair-path ${path} makes it anew`,
    details: { path },
  });
}

/** The error of somebody who does not want the archive any more. */
export function cancelled({ path }: ArchiveKey): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: `the archive of ${path} was given up before its end`,
  });
}
