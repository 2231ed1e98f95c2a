import { FleetError } from '../../shared/domain/errors.ts';
import { isStorePath, type StorePath } from '../../shared/domain/names.ts';

/** One path of a closure. */
export interface PathInfo {
  readonly path: StorePath;
  /** Bytes of the path as an archive: what is sent, and about what it takes on a disk. */
  readonly narSize: number;
}

/**
 * Reads what `nix path-info --json` prints: a list of objects with their path (up to 2.18), or an object whose keys
 * are the paths (since 2.19; the newest leave the store's folder out of the keys).
 * @throws FleetError INTERNAL
 */
export function parsePathInfo(text: string): readonly PathInfo[] {
  const value: unknown = JSON.parse(text);
  if (Array.isArray(value)) return value.map((entry: unknown) => info(field(entry, 'path'), entry));
  if (typeof value !== 'object' || value === null) throw malformed(text);
  const nested = field(value, 'info');
  const table = typeof nested === 'object' && nested !== null ? nested : value;
  return Object.entries(table).map(([path, entry]: [string, unknown]) => info(path, entry));
}

function info(path: unknown, entry: unknown): PathInfo {
  const full = typeof path === 'string' && !path.startsWith('/') ? `/nix/store/${path}` : path;
  const narSize = field(entry, 'narSize');
  if (typeof full !== 'string' || !isStorePath(full) || typeof narSize !== 'number') {
    throw malformed(JSON.stringify({ path, entry }));
  }
  return { path: full, narSize };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function malformed(text: string): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `nix path-info answered something unknown: ${text.slice(0, 200)}`,
  });
}
