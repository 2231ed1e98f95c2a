import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';

/** A file that goes into a cache. */
export interface CacheFile {
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  read(): AsyncIterable<Uint8Array>;
}

/** A cache that can be written to. Names are paths below its root, made of letters, digits, dots, slashes. */
export interface CacheTarget {
  /** For people. */
  readonly name: string;
  /** @throws FleetError PUSH_FAILED */
  has(name: string, signal: AbortSignal): Promise<boolean>;
  /** Whoever reads the cache sees all of the file or nothing. @throws FleetError PUSH_FAILED; what reading the file throws */
  put(name: string, file: CacheFile, signal: AbortSignal): Promise<void>;
}

let counter = 0;

/** A cache in a folder, as `file://` names one to Nix. */
export function createFolderTarget(folder: string): CacheTarget {
  return {
    name: folder,
    has: async (name) => (await stat(join(folder, name)).catch(() => undefined)) !== undefined,
    async put(name, file, signal) {
      const place = join(folder, name);
      counter += 1;
      const fresh = join(folder, `.varve-${process.pid}-${counter}`);
      try {
        await mkdir(dirname(place), { recursive: true });
        const handle = await open(fresh, 'wx', 0o644);
        try {
          for await (const bytes of file.read()) {
            signal.throwIfAborted();
            await handle.writeFile(bytes);
          }
        } finally {
          await handle.close();
        }
        await rename(fresh, place);
      } catch (thrown) {
        await rm(fresh, { force: true }).catch(() => {});
        throw signal.aborted || thrown instanceof FleetError
          ? thrown
          : notPut(folder, name, reasonOf(thrown), thrown);
      }
    },
  };
}

export function notPut(cache: string, name: string, why: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'PUSH_FAILED',
    disposition: 'transient',
    message: `the cache ${cache} does not take ${name}: ${why}`,
    hint: 'see `worker.cache.publish` of the service configuration, and whether the worker may write there',
    cause,
  });
}

/** What lies at the bottom of it. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause instanceof Error ? reasonOf(thrown.cause) : thrown.message;
}
