import type { ArchiveKey, ArchivePiece } from './archive.ts';
import type { Archives } from './archives.ts';

/** Larger archives are read from their files, a part at a time. */
const largestBytes = 1024 * 1024;

/**
 * Keeps small archives in memory that were given lately: a closure that goes to many hosts has hundreds of them, and to
 * open and read as many files for each host would cost more than to send them. Those that ask at the same time share one
 * reading.
 * @param maxBytes of all of them together
 */
export function rememberRecent(archives: Archives, maxBytes: number): Archives {
  /** Those that were given longest ago first. */
  const recent = new Map<string, { readonly pieces: Promise<readonly ArchivePiece[]>; bytes: number }>();
  const closing = new AbortController();
  let total = 0;

  function forget(narHash: string): void {
    total -= recent.get(narHash)?.bytes ?? 0;
    recent.delete(narHash);
  }

  async function read(key: ArchiveKey): Promise<readonly ArchivePiece[]> {
    const pieces: ArchivePiece[] = [];
    for await (const piece of archives.pieces(key, closing.signal)) pieces.push(piece);
    return pieces;
  }

  function begin(key: ArchiveKey): Promise<readonly ArchivePiece[]> {
    const { narHash } = key;
    const reading = { pieces: read(key), bytes: 0 };
    recent.set(narHash, reading);
    reading.pieces.then(
      (pieces) => {
        if (recent.get(narHash) !== reading) return;
        reading.bytes = pieces.reduce((sum, { frame }) => sum + frame.byteLength, 0);
        total += reading.bytes;
        for (const oldest of recent.keys()) {
          if (total <= maxBytes) break;
          forget(oldest);
        }
      },
      // Whoever comes next tries again.
      () => {
        if (recent.get(narHash) === reading) recent.delete(narHash);
      },
    );
    return reading.pieces;
  }

  return {
    async *pieces(key, signal) {
      if (key.narSize > largestBytes) {
        yield* archives.pieces(key, signal);
        return;
      }
      const known = recent.get(key.narHash);
      if (known !== undefined) {
        recent.delete(key.narHash);
        recent.set(key.narHash, known);
      }
      const pieces = await (known?.pieces ?? begin(key));
      // Nobody who left meanwhile is given anything; who asks for it with all others hears of it from them.
      if (signal.aborted) {
        yield* archives.pieces(key, signal);
        return;
      }
      yield* pieces;
    },
    has: (key) => archives.has(key),
    async close() {
      closing.abort();
      await archives.close();
    },
  };
}
