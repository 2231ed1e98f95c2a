import type { PathInfo } from '../nix/store.ts';
import type { Channel } from '../ssh/channel.ts';
import { compressAhead } from './ahead.ts';
import type { ArchiveSource } from './archive.ts';
import type { Archives } from './archives.ts';
import { createPlainEncoder, createZstdEncoder } from './encoding.ts';
import { explained } from './explain.ts';
import { pushError, refusal, type Room } from './push-errors.ts';
import { archiveBytes, type Run, wanted } from './run.ts';
import { type Piece, sendPaths } from './send.ts';

export interface StreamDeps {
  readonly source: ArchiveSource;
  readonly archives: Pick<Archives, 'pieces' | 'has'>;
  /** Signatures of our own, besides those that the worker's store has. */
  readonly sign: (info: PathInfo) => readonly string[];
}

/** What there is to know of what is sent. */
export interface Missing {
  /** Each after all that it references. */
  readonly paths: readonly PathInfo[];
  readonly compress: boolean;
  readonly room: Room;
}

/**
 * Sends what a host lacks, as one stream, until it is rooted there.
 * @throws FleetError HOST_UNREACHABLE, PUSH_FAILED, DISK_FULL; what the source and the archives throw
 */
export type Stream = (run: Run, data: Channel, missing: Missing) => Promise<void>;

/** The host gives up a worker that is silent, but not before this one would have given up the host. */
const hostWaitsLongerMs = 30_000;

export function createStream({ source, archives, sign }: StreamDeps): Stream {
  async function* plain({ path }: PathInfo): AsyncGenerator<Piece> {
    for await (const bytes of source.read(path)) yield { length: bytes.length, bytes };
  }

  async function* compressed(info: PathInfo, signal: AbortSignal): AsyncGenerator<Piece> {
    for await (const { length, frame } of archives.pieces(info, signal)) yield { length, bytes: frame };
  }

  return async ({ request, watch, context, arrived }, data, { paths, compress, room }) => {
    const write = async (bytes: Uint8Array): Promise<void> => {
      // What took time until here was our own doing.
      watch.moved();
      await data.write(bytes);
      watch.moved();
    };
    const total = {
      bytes: arrived.bytes + archiveBytes(paths),
      paths: arrived.paths + paths.length,
    };
    const tell = (): void =>
      context.progress({
        what: 'bytes',
        done: arrived.bytes,
        total: total.bytes,
        paths: { done: arrived.paths, total: total.paths },
      });
    tell();
    const largest = paths.reduce((most, { narSize }) => Math.max(most, narSize), 0);
    const patience = Math.ceil((watch.patienceMs(largest) + hostWaitsLongerMs) / 1_000);
    const over = new AbortController();
    const signal = AbortSignal.any([watch.signal, over.signal]);
    if (compress) void compressAhead(archives, paths, signal);
    try {
      await data.write(
        Buffer.concat([Buffer.from(`${compress ? 'zstd' : 'plain'} ${patience}\n`), wanted(request)]),
      );
      const { refused, rest } = await sendPaths({
        paths: paths.map((info) => ({ ...info, signatures: [...info.signatures, ...sign(info)] })),
        pieces: (info) => (compress ? compressed(info, signal) : plain(info)),
        encoder: compress ? createZstdEncoder(write) : createPlainEncoder(write),
        output: watch.watched(data.output),
        // A decompressor gives the last bytes only at the end; a daemon that is talked to directly must not see one.
        sent: () => compress && data.end(),
        answered: () => !compress && data.end(),
        awaited: ({ narSize }) => watch.awaits(narSize),
        acknowledged({ narSize }) {
          arrived.paths += 1;
          arrived.bytes += narSize;
          tell();
        },
      });
      if (refused.length > 0) throw refusal(refused, request.connection, room);
      if (rest.toString('latin1').endsWith('rooted\n')) return;
    } catch (thrown) {
      throw await explained(thrown, data, request, room);
    } finally {
      over.abort();
    }
    throw pushError(`what was sent is not rooted: ${data.complaint().trim()}`, request.connection, room);
  };
}
