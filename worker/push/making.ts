import { rm, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import type { ArchivePiece } from './archive.ts';
import { readPieces, write } from './archive-file.ts';
import { encodeIndex, type IndexEntry } from './archive-index.ts';

/**
 * An archive that is being made, by way of a file: who makes it writes there and waits for nobody, who reads it reads
 * there, as far behind as it likes, and only the beginning is held in memory for it. It goes on when nobody reads.
 */
export interface Making {
  /**
   * The pieces from the `first` on, each when it is there.
   * @throws Unusable when the file failed; what making it threw, for everybody who reads it
   */
  read(first: number, signal: AbortSignal): AsyncGenerator<ArchivePiece>;
  /** When it is over, for good or bad. Never rejects. */
  readonly over: Promise<void>;
}

export interface MakingDeps {
  readonly frames: () => AsyncIterable<ArchivePiece>;
  /** A file of its own. @throws Unusable */
  readonly create: () => Promise<NewFile>;
  /** The file is whole: puts it where it is found. @throws Unusable */
  readonly keep: (file: NewFile, bytes: number) => Promise<void>;
  /** Told what went wrong, if anything. From here on nobody may begin to read. */
  readonly end: (failure: unknown) => void;
}

export interface NewFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/** Compressed: to read it from the file again costs more than to make it, where it is all that there is. */
const heldBytes = 1024 * 1024;

type State =
  | { readonly kind: 'going' }
  /** All its pieces are there, if not the file's index. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'failed'; readonly thrown: unknown };

/** @param whenFree runs it as soon as it may be run */
export function startMaking(
  deps: MakingDeps,
  whenFree: (make: () => Promise<void>) => Promise<void>,
): Making {
  const entries: IndexEntry[] = [];
  /** The first ones. */
  const held: ArchivePiece[] = [];
  const waiting = new Set<() => void>();
  let state: State = { kind: 'going' };
  let file: NewFile | undefined;
  let readers = 0;
  let isOver = false;

  const tell = (): void => {
    for (const wake of waiting) wake();
  };

  async function fill(): Promise<void> {
    const made = (file = await deps.create());
    let at = 0;
    for await (const { length, frame } of deps.frames()) {
      await write(made.handle, frame, at);
      if (at + frame.byteLength <= heldBytes) held.push({ length, frame });
      entries.push({ at, length, frameBytes: frame.byteLength, checksum: crc32(frame) });
      at += frame.byteLength;
      tell();
    }
    state = { kind: 'whole' };
    tell();
    const index = encodeIndex(entries);
    await write(made.handle, index, at);
    await deps.keep(made, at + index.byteLength);
  }

  async function make(): Promise<void> {
    let failure: unknown;
    try {
      await fill();
    } catch (thrown) {
      failure = thrown;
      // Where only the keeping failed, its readers have it all.
      if (state.kind === 'going') state = { kind: 'failed', thrown };
      if (file !== undefined) await rm(file.path, { force: true }).catch(() => {});
    }
    isOver = true;
    deps.end(failure);
    tell();
    await closeIfUnused();
  }

  async function closeIfUnused(): Promise<void> {
    if (!isOver || readers > 0) return;
    const closing = file;
    file = undefined;
    // What was written is checked when it is read: an error here tells nothing more.
    await closing?.handle.close().catch(() => {});
  }

  /** Until there is more, or it is over, or the reader leaves. */
  async function news(signal: AbortSignal): Promise<void> {
    let wake = (): void => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    waiting.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    await woken;
    waiting.delete(wake);
    signal.removeEventListener('abort', wake);
  }

  return {
    over: whenFree(make),
    async *read(first, signal) {
      readers += 1;
      try {
        for (let next = first; !signal.aborted;) {
          if (file !== undefined && next < entries.length) {
            const pieces =
              next < held.length ? held.slice(next) : await readPieces(file.handle, entries, next);
            next += pieces.length;
            yield* pieces;
          } else if (state.kind === 'going') await news(signal);
          else if (state.kind === 'failed') throw state.thrown;
          else return;
        }
      } finally {
        readers -= 1;
        await closeIfUnused();
      }
    },
  };
}
