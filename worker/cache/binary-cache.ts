import { Readable } from 'node:stream';

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import type { Logger } from '../../shared/platform/logger.ts';
import { formatNarinfo } from '../nix/narinfo.ts';
import { decodeNix32, encodeNix32 } from '../nix/nix32.ts';
import type { PathInfo } from '../nix/store.ts';
import type { ArchivePiece } from '../push/archive.ts';
import type { Archives } from '../push/archives.ts';
import { type CacheLimits, keepLimits, serverOptions, usualCacheLimits } from './limits.ts';
import type { Served } from './served.ts';

export interface BinaryCacheDeps {
  readonly served: Served;
  readonly archives: Pick<Archives, 'pieces'>;
  /** Signatures of our own: hosts take a path from a cache only for those. */
  readonly sign: (info: PathInfo) => readonly string[];
  readonly log: Pick<Logger, 'warn'>;
  readonly limits?: Partial<CacheLimits>;
}

export interface BinaryCache {
  /** Port 0 takes a free one. Resolves with the URL. */
  listen(where: { readonly address: string; readonly port: number }): Promise<string>;
  /** Ends what is being sent, too. */
  close(): Promise<void>;
}

/**
 * What the first file of a cache says. Hosts ask caches with lower numbers first, and public ones have 40 and less: what
 * those have need not come from a worker.
 */
export const cacheInfo = 'StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 50\n';

/** What a cache says of a path whose archive is at `narUrl`. */
export function narinfoOf(info: PathInfo, signatures: readonly string[]): string {
  return formatNarinfo({
    info: { ...info, signatures: [...new Set([...info.signatures, ...signatures])] },
    url: narUrl(info),
    compression: 'zstd',
    // Known only once it is made, and no reader needs them.
    fileHash: undefined,
    fileSize: undefined,
  });
}

/** Where in a cache a path's archive is. */
export function narUrl({ narHash }: Pick<PathInfo, 'narHash'>): string {
  return `nar/${encodeNix32(Buffer.from(narHash, 'hex'))}.nar.zst`;
}

/**
 * The worker's closures as an HTTP binary cache, for whoever may reach the address: read only, and nothing but what is
 * served to hosts. (The manual of Nix, "HTTP binary cache store")
 */
export function createBinaryCache(deps: BinaryCacheDeps): BinaryCache {
  const limits = { ...usualCacheLimits, ...deps.limits };
  const app = fastify({ forceCloseConnections: true, exposeHeadRoutes: false, ...serverOptions(limits) });
  keepLimits(app, limits);
  answerErrors(app, deps.log);
  const route = (url: string, handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>) =>
    app.route({ method: ['GET', 'HEAD'], url, handler });

  route('/nix-cache-info', async (_, reply) => reply.type('text/x-nix-cache-info').send(cacheInfo));
  route('/:file', async (request, reply) => {
    const [, digest] = /^([0-9a-z]{32})\.narinfo$/.exec(fileOf(request)) ?? [];
    const info = digest === undefined ? undefined : await deps.served.byDigest(digest);
    if (info === undefined) return notFound(reply);
    return reply.type('text/x-nix-narinfo').send(narinfoOf(info, deps.sign(info)));
  });
  route('/nar/:file', async (request, reply) => {
    const [, name = ''] = /^([0-9a-z]{52})\.nar\.zst$/.exec(fileOf(request)) ?? [];
    const narHash = decodeNix32(name)?.toString('hex');
    const info = narHash?.length === 64 ? await deps.served.byNarHash(narHash) : undefined;
    if (info === undefined) return notFound(reply);
    void reply.type('application/x-nix-nar');
    if (request.method === 'HEAD') return reply.send();
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    return reply.send(await streamOf(deps.archives.pieces(info, gone.signal)));
  });

  return {
    listen: ({ address, port }) => app.listen({ host: address, port }),
    close: () => app.close(),
  };
}

function fileOf({ params }: FastifyRequest): string {
  const file: unknown = typeof params === 'object' && params !== null && 'file' in params ? params.file : '';
  return typeof file === 'string' ? file : '';
}

/**
 * One frame after the other. The first piece is waited for: what cannot be read at all is an error, and not an answer that
 * breaks off. What is found damaged later breaks off before its end, which readers see.
 */
async function streamOf(pieces: AsyncIterable<ArchivePiece>): Promise<Readable> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* frames(): AsyncGenerator<Uint8Array> {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value.frame;
    } finally {
      await iterator.return?.();
    }
  }
  return Readable.from(frames(), { objectMode: false });
}

function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).type('text/plain').send('there is nothing at this path\n');
}

function answerErrors(app: FastifyInstance, log: Pick<Logger, 'warn'>): void {
  app.setErrorHandler((err, request, reply) => {
    log.warn({ err, path: request.url }, 'the cache could not answer');
    // Nothing of the worker is told to whoever asks.
    void reply.code(500).type('text/plain').send('this cannot be had now\n');
  });
  app.setNotFoundHandler((_, reply) => void notFound(reply));
}
