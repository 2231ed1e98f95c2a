import { createSingleFlight } from '../../shared/platform/single-flight.ts';
import type { ArchiveKey, ArchivePiece } from './archive.ts';
import { cancelled } from './archive-frames.ts';
import type { Archives } from './archives.ts';

/** Larger archives are read from their files, a part at a time. */
const largestBytes = 1024 * 1024;

/**
 * Keeps small archives in memory that were given lately: a closure that goes to many hosts has hundreds of them, and to
 * open and read as many files for each host would cost more than to send them. Those that ask at the same time share one
 * reading, and each may leave: it ends when nobody waits for it any more.
 * @param maxBytes of all of them together
 */
export function rememberRecent(archives: Archives, maxBytes: number): Archives {
  /** Those that were given longest ago first. */
  const recent = new Map<string, { readonly pieces: readonly ArchivePiece[]; readonly bytes: number }>();
  const reading = createSingleFlight<readonly ArchivePiece[]>();
  let total = 0;

  function forget(narHash: string): void {
    total -= recent.get(narHash)?.bytes ?? 0;
    recent.delete(narHash);
  }

  function remember(narHash: string, pieces: readonly ArchivePiece[]): void {
    forget(narHash);
    const bytes = pieces.reduce((sum, { frame }) => sum + frame.byteLength, 0);
    recent.set(narHash, { pieces, bytes });
    total += bytes;
    for (const oldest of recent.keys()) {
      if (total <= maxBytes) break;
      forget(oldest);
    }
  }

  async function read(key: ArchiveKey, signal: AbortSignal): Promise<readonly ArchivePiece[]> {
    const pieces: ArchivePiece[] = [];
    for await (const piece of archives.pieces(key, signal)) pieces.push(piece);
    remember(key.narHash, pieces);
    return pieces;
  }

  return {
    async *pieces(key, signal) {
      if (key.narSize > largestBytes) {
        yield* archives.pieces(key, signal);
        return;
      }
      // What is remembered is nothing to those who have left, either.
      if (signal.aborted) throw cancelled(key);
      const { narHash } = key;
      const known = recent.get(narHash);
      if (known !== undefined) {
        recent.delete(narHash);
        recent.set(narHash, known);
      }
      yield* known?.pieces ?? (await reading.run(narHash, signal, (shared) => read(key, shared)));
    },
    has: (key) => archives.has(key),
    close: () => archives.close(),
  };
}
