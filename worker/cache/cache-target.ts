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
  /** A text, as it is there; `undefined` if it is not. @throws FleetError PUSH_FAILED */
  read(name: string, signal: AbortSignal): Promise<string | undefined>;
  /**
   * Whoever reads the cache sees all of the file or nothing. It is there to stay when this resolves.
   * @throws FleetError PUSH_FAILED; what reading the file throws
   */
  put(name: string, file: CacheFile, signal: AbortSignal): Promise<void>;
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
