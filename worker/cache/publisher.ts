import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';

import pLimit from 'p-limit';

import { FleetError } from '../../shared/domain/errors.ts';
import type { StorePath } from '../../shared/domain/names.ts';
import type { StepContext } from '../../shared/platform/ports/steps.ts';
import { createSingleFlight } from '../../shared/platform/single-flight.ts';
import { formatNarinfo, parseNarinfo } from '../nix/narinfo.ts';
import { encodeNix32 } from '../nix/nix32.ts';
import type { ValidPathInfo } from '../nix/protocol/path-info.ts';
import { fingerprintOf } from '../nix/signing.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';
import type { Archives } from '../push/archives.ts';
import { cacheInfo } from './binary-cache.ts';
import type { CacheFile, CacheTarget } from './cache-target.ts';
import { digestAt, digestLength } from './served.ts';

export interface PublisherDeps {
  readonly target: CacheTarget;
  readonly store: Pick<NixStore, 'closure'>;
  readonly archives: Pick<Archives, 'pieces'>;
  readonly sign: (info: PathInfo) => readonly string[];
  /** Whether a signature of ours is among those that the cache has of it: hosts take nothing for another one. */
  readonly isSigned: (info: ValidPathInfo) => boolean;
}

/**
 * Publishes what the paths reference, themselves included, to a cache: whatever it lacks, or has without a signature of
 * ours. Archives go in any order, and what makes a path known after that of all that it references: whoever finds a path
 * finds its closure.
 * @throws FleetError PUSH_FAILED, CANCELLED; INTERNAL when a path is not valid here
 */
export type Publish = (paths: readonly StorePath[], context: StepContext) => Promise<void>;

const questionsAtOnce = 16;
const uploadsAtOnce = 4;
/** For so long a cache is believed to keep what it had. */
const rememberedMs = 3_600_000;

export function createPublisher({ target, store, archives, sign, isSigned }: PublisherDeps): Publish {
  const whenAskable = pLimit(questionsAtOnce);
  const whenFree = pLimit(uploadsAtOnce);
  /** What several hosts share is published once, also if they come together. */
  const flights = createSingleFlight<void>();
  const knownAt = new Map<string, number>();

  const asked = (name: string, signal: AbortSignal): Promise<boolean> =>
    whenAskable(() => target.has(name, signal));

  /** What the cache says of the path; `undefined` if nothing, or nothing that can be read. */
  async function published(
    name: string,
    { path }: PathInfo,
    signal: AbortSignal,
  ): Promise<ValidPathInfo | undefined> {
    const text = await whenAskable(() => target.read(name, signal));
    if (text === undefined) return undefined;
    try {
      const { info } = parseNarinfo(text);
      return info.path === path ? info : undefined;
    } catch (thrown) {
      if (thrown instanceof FleetError && thrown.code === 'INVALID_INPUT') return undefined;
      throw thrown;
    }
  }

  /** Unless it was done lately. */
  async function once(
    name: string,
    signal: AbortSignal,
    put: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (Date.now() - (knownAt.get(name) ?? -Infinity) < rememberedMs) return;
    await flights.run(name, signal, async (shared) => {
      await put(manyListen(shared));
      remember(name);
    });
  }

  function remember(name: string): void {
    const now = Date.now();
    for (const [other, at] of knownAt) {
      // Those after it are younger.
      if (now - at < rememberedMs) break;
      knownAt.delete(other);
    }
    knownAt.delete(name);
    knownAt.set(name, now);
  }

  async function upload(info: PathInfo, signal: AbortSignal): Promise<CacheFile & { readonly url: string }> {
    return whenFree(async () => {
      const file = await archiveFile(archives, info, signal);
      const url = `nar/${encodeNix32(Buffer.from(file.sha256, 'hex'))}.nar.zst`;
      if (!(await asked(url, signal))) await target.put(url, file, signal);
      return { ...file, url };
    });
  }

  return async (paths, { signal, log }) => {
    const closure = await store.closure(paths, { signal });
    const infos = new Map(closure.map((info) => [info.path as string, info]));
    const done = { paths: 0, bytes: 0 };

    async function publish(info: PathInfo, until: AbortSignal): Promise<void> {
      const name = `${info.path.slice(digestAt, digestAt + digestLength)}.narinfo`;
      await once(name, until, async (shared) => {
        const before = await published(name, info, shared);
        if (before !== undefined && isSigned(before)) return;
        // Somebody else's, who has the same.
        const theirs =
          before !== undefined && fingerprintOf(before) === fingerprintOf(info) ? before.signatures : [];
        const archive = await upload(info, shared);
        const others = info.references.filter((path) => path !== info.path);
        await Promise.all(
          others.map(async (path) => {
            const other = infos.get(path);
            if (other !== undefined) await publish(other, shared);
          }),
        );
        const text = formatNarinfo({
          info: { ...info, signatures: [...new Set([...info.signatures, ...sign(info), ...theirs])] },
          url: archive.url,
          compression: 'zstd',
          fileHash: archive.sha256,
          fileSize: archive.size,
        });
        await target.put(name, textFile(text, 'text/x-nix-narinfo'), shared);
        done.paths += 1;
        done.bytes += archive.size;
      });
    }

    await once('nix-cache-info', signal, async (shared) => {
      if (await asked('nix-cache-info', shared)) return;
      await target.put('nix-cache-info', textFile(cacheInfo, 'text/x-nix-cache-info'), shared);
    });
    // The first failure ends the others, and is told when all have ended: nobody is left behind that still writes.
    const stop = new AbortController();
    const until = manyListen(AbortSignal.any([signal, stop.signal]));
    const failures: unknown[] = [];
    await Promise.all(
      closure.map((info) =>
        publish(info, until).catch((thrown: unknown) => {
          failures.push(thrown);
          stop.abort();
        }),
      ),
    );
    if (done.paths > 0) log(`published ${done.paths} paths, ${done.bytes} bytes, to ${target.name}`);
    if (failures.length > 0) throw failures[0];
  };
}

/** A path may have hundreds of references, and a closure thousands of paths. */
function manyListen(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal);
  return signal;
}

/**
 * The compressed archive of a path, made or read once to know its hash and length: those who take it want to know them
 * before. It is kept, so reading it again costs little.
 */
async function archiveFile(
  archives: PublisherDeps['archives'],
  info: PathInfo,
  signal: AbortSignal,
): Promise<CacheFile> {
  const measure = async function* (told: { size: number; sha256: string }): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    for await (const { frame } of archives.pieces(info, signal)) {
      hash.update(frame);
      told.size += frame.byteLength;
      yield frame;
    }
    told.sha256 = hash.digest('hex');
  };
  const first = { size: 0, sha256: '' };
  for await (const _ of measure(first));
  return {
    ...first,
    type: 'application/x-nix-nar',
    async *read() {
      const again = { size: 0, sha256: '' };
      yield* measure(again);
      if (again.sha256 !== first.sha256) throw changed(info);
    },
  };
}

function changed({ path }: PathInfo): FleetError {
  return new FleetError({
    code: 'PUSH_FAILED',
    disposition: 'transient',
    message: `the archive of ${path} was compressed in another way while it was published`,
  });
}

function textFile(text: string, type: string): CacheFile {
  const bytes = Buffer.from(text);
  return {
    type,
    size: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    async *read() {
      yield bytes;
    },
  };
}
