import { FleetError } from '../../shared/domain/errors.ts';
import type { Tree } from '../../shared/domain/names.ts';
import type { Mirror } from './mirror.ts';

/** One entry of a tree, whatever depth it is at. */
export interface TreeEntry {
  /** `100644`, `100755`, `120000` (symbolic link), `160000` (submodule). */
  readonly mode: string;
  readonly object: string;
  /** Of a blob, in bytes. */
  readonly size: number;
  /** Its path, one character a byte: paths need not be UTF-8. */
  readonly rawPath: string;
}

/** A path as people read it. */
export function shownPath(rawPath: string): string {
  return Buffer.from(rawPath, 'latin1')
    .toString('utf8')
    .replaceAll(/\p{Cc}/gu, '?')
    .slice(0, 300);
}

/** About half a million files, ten times those of nixpkgs. Some kilobytes of Git can stand for billions. */
const maxListingBytes = 64 * 1_048_576;

/** Every file, link and submodule of a tree; `undefined` when they are more than is taken. */
export async function listTree(mirror: Mirror, tree: Tree): Promise<readonly TreeEntry[] | undefined> {
  const listed = await mirror.run(['ls-tree', '-r', '-z', '-l', '--full-tree', tree], {
    maxOutputBytes: maxListingBytes,
  });
  if (listed.code !== 0) throw unreadable(tree);
  if (listed.truncated) return undefined;
  const entries: TreeEntry[] = [];
  for (const record of listed.stdout.toString('latin1').split('\0')) {
    if (record === '') continue;
    const match = /^(\d{6}) [a-z]+ ([0-9a-f]{40}) +(\d+|-)\t([^]*)$/.exec(record);
    const [, mode, object, size, rawPath] = match ?? [];
    if (mode === undefined || object === undefined || rawPath === undefined) throw unreadable(tree);
    entries.push({ mode, object, size: size === '-' ? 0 : Number(size), rawPath });
  }
  return entries;
}

/** How many bytes of contents are asked for at once. */
const batchBytes = 16 * 1_048_576;

/**
 * Gives the contents of blobs to `visit`, each object once, a bounded amount in memory at a time.
 */
export async function readBlobs(
  mirror: Mirror,
  entries: readonly TreeEntry[],
  visit: (object: string, content: Buffer) => void,
): Promise<void> {
  const sizes = new Map(entries.map((entry) => [entry.object, entry.size]));
  let batch: string[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await readBatch(mirror, batch, bytes, visit);
    batch = [];
    bytes = 0;
  };
  for (const [object, size] of sizes) {
    if (bytes > 0 && bytes + size > batchBytes) await flush();
    batch.push(object);
    bytes += size;
  }
  await flush();
}

async function readBatch(
  mirror: Mirror,
  objects: readonly string[],
  bytes: number,
  visit: (object: string, content: Buffer) => void,
): Promise<void> {
  const read = await mirror.run(['cat-file', '--batch'], {
    input: `${objects.join('\n')}\n`,
    maxOutputBytes: bytes + objects.length * 100 + 1_024,
  });
  let at = 0;
  for (const object of objects) {
    const lineEnd = read.stdout.indexOf(10, at);
    const size = /^[0-9a-f]{40} blob (\d+)$/.exec(read.stdout.toString('latin1', at, lineEnd))?.[1];
    if (lineEnd === -1 || size === undefined) {
      throw new FleetError({
        code: 'INTERNAL',
        disposition: 'transient',
        message: `object ${object} cannot be read from the mirror`,
      });
    }
    const start = lineEnd + 1;
    visit(object, read.stdout.subarray(start, start + Number(size)));
    at = start + Number(size) + 1;
  }
}

function unreadable(tree: Tree): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `tree ${tree} cannot be read from the mirror`,
  });
}
