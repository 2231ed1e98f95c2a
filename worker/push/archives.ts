import pLimit from 'p-limit';

import type { Logger } from '../../shared/platform/logger.ts';
import type { ArchiveKey, ArchivePiece } from './archive.ts';
import { readArchive, Unusable } from './archive-file.ts';
import { openArchiveFolder } from './archive-folder.ts';
import { archiveFrames, cancelled, type FramesDeps } from './archive-frames.ts';
import { startMaking, type Making } from './making.ts';

export type { ArchiveKey, ArchivePiece, ArchiveSource } from './archive.ts';

/**
 * The compressed archives of store paths, made once and kept on the disk. A kept file is a valid `.nar.zst` as it is: the
 * frames of the pieces one after the other, and an index that zstd passes over.
 */
export interface Archives {
  /**
   * The pieces of a path's archive, in order. It is made once, however many ask at the same time: those that come meanwhile
   * are given what is there, and then the rest as it comes. The last piece is given only if the archive is the right one.
   * A disk that is full or broken stops nobody: it costs everybody a making of its own.
   * @throws FleetError PUSH_FAILED when the path is damaged in the worker's store; CANCELLED when the signal aborts or all
   * is closed; what the source and the compressor throw
   */
  pieces(key: ArchiveKey, signal: AbortSignal): AsyncIterable<ArchivePiece>;
  /** Whether it is there, whole. Does not ask the disk. */
  has(key: ArchiveKey): boolean;
  /** Gives up what is being made. */
  close(): Promise<void>;
}

/** Each holds a few pieces in memory. Small archives wait for the disk more than for a processor. */
const makingsAtOnce = 8;

export async function createArchives(
  deps: FramesDeps & {
    /** Of this process alone. A file is named by the hash of its archive. */
    readonly folder: string;
    /** Of the files together. Those that were used longest ago go first. */
    readonly maxBytes: number;
    readonly log?: Pick<Logger, 'warn'>;
  },
): Promise<Archives> {
  const { log } = deps;
  const folder = await openArchiveFolder(deps);
  const closing = new AbortController();
  const whenFree = pLimit(makingsAtOnce);
  const makings = new Map<string, Making>();
  let isDiskBroken = false;

  function start(key: ArchiveKey): Making {
    const { narHash } = key;
    const making = startMaking(
      {
        frames: () => archiveFrames(deps, key, 0, closing.signal),
        create: () => folder.create(),
        async keep(file, bytes) {
          await folder.keep(file, narHash, bytes);
          isDiskBroken = false;
        },
        end(failure) {
          makings.delete(narHash);
          if (!(failure instanceof Unusable)) return;
          if (!isDiskBroken) log?.warn({ err: failure, folder: deps.folder }, 'archives cannot be kept');
          isDiskBroken = true;
        },
      },
      whenFree,
    );
    makings.set(narHash, making);
    return making;
  }

  async function* fromFile(key: ArchiveKey, first: number): AsyncGenerator<ArchivePiece> {
    const opened = await folder.open(key.narHash);
    if (opened === undefined) throw new Unusable('there is none');
    const { kept, handle } = opened;
    try {
      yield* readArchive(handle, { fileBytes: kept.bytes, narSize: key.narSize, first });
    } catch (thrown) {
      if (thrown instanceof Unusable) {
        log?.warn({ err: thrown, path: key.path }, 'a kept archive is damaged and is made again');
        await folder.drop(key.narHash, kept);
      }
      throw thrown;
    } finally {
      await handle.close();
    }
  }

  const whileMade = (key: ArchiveKey, first: number, signal: AbortSignal): AsyncGenerator<ArchivePiece> =>
    (makings.get(key.narHash) ?? start(key)).read(first, signal);

  const fromSource = (key: ArchiveKey, first: number, signal: AbortSignal): AsyncGenerator<ArchivePiece> =>
    archiveFrames(deps, key, first, signal);

  return {
    async *pieces(key, signal) {
      const stopIfAborted = (): void => {
        if (signal.aborted || closing.signal.aborted) throw cancelled(key);
      };
      stopIfAborted();
      let given = 0;
      // Where one way ends early, the next one goes on behind what was given.
      for (const way of [fromFile, whileMade, fromSource]) {
        try {
          for await (const piece of way(key, given, signal)) {
            given += 1;
            yield piece;
            stopIfAborted();
          }
          stopIfAborted();
          return;
        } catch (thrown) {
          if (!(thrown instanceof Unusable)) throw thrown;
        }
      }
    },
    has: ({ narHash }) => folder.has(narHash),
    async close() {
      closing.abort();
      await Promise.all([...makings.values()].map(({ over }) => over));
    },
  };
}
