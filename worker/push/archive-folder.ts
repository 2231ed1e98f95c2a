import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { onDisk } from './archive-file.ts';
import type { NewFile } from './making.ts';

/** A kept archive, as long as it is kept. */
export interface KeptFile {
  readonly bytes: number;
}

/**
 * The files of archives, each named by the hash of its archive, up to so many bytes: those that were used last. What is
 * there is known without asking the disk. Only one process may have the folder.
 */
export interface ArchiveFolder {
  has(narHash: string): boolean;
  /** Opens it for reading, and counts as use. It can be read to its end, even if it is removed meanwhile. */
  open(narHash: string): Promise<{ readonly kept: KeptFile; readonly handle: FileHandle } | undefined>;
  /** Removes the file that was opened, unless another has taken its place. */
  drop(narHash: string, kept: KeptFile): Promise<void>;
  /** @throws Unusable */
  create(): Promise<NewFile>;
  /** Puts a whole file in its place. One that is larger than all that may be kept is removed. @throws Unusable */
  keep(file: NewFile, narHash: string, bytes: number): Promise<void>;
}

interface Found extends KeptFile {
  readonly narHash: string;
  /** When it was used last, in milliseconds since the epoch. */
  readonly usedAt: number;
}

/** Files that are not whole: whatever is there at the start is from a process that was killed. */
const unfinished = '.unfinished';

/** Reads what is there. A folder that cannot be read or made is an empty one. */
export async function openArchiveFolder(deps: {
  readonly folder: string;
  readonly maxBytes: number;
}): Promise<ArchiveFolder> {
  const { folder, maxBytes } = deps;
  await rm(join(folder, unfinished), { recursive: true, force: true }).catch(() => {});
  const found = await filesIn(folder);
  /** Those that were used longest ago first. */
  const files = new Map<string, KeptFile>(found.map(({ narHash, bytes }) => [narHash, { bytes }]));
  let total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  let lastUse = found.at(-1)?.usedAt ?? 0;
  let counter = 0;

  const placeOf = (narHash: string): string => join(folder, narHash);

  function forget(narHash: string, kept: KeptFile): boolean {
    if (files.get(narHash) !== kept) return false;
    files.delete(narHash);
    total -= kept.bytes;
    return true;
  }

  async function drop(narHash: string, kept: KeptFile): Promise<void> {
    if (!forget(narHash, kept)) return;
    // One that cannot be removed is found again at the next start.
    await rm(placeOf(narHash), { force: true }).catch(() => {});
  }

  async function makeRoom(): Promise<void> {
    for (const [narHash, kept] of files) {
      if (total <= maxBytes) return;
      await drop(narHash, kept);
    }
  }

  /** Two uses never carry the same time: their order is all that the next process has. */
  async function markUsed(narHash: string, kept: KeptFile, handle: FileHandle): Promise<void> {
    files.delete(narHash);
    files.set(narHash, kept);
    lastUse = Math.max(Date.now(), lastUse + 1);
    await handle.utimes(lastUse / 1_000, lastUse / 1_000).catch(() => {});
  }

  await makeRoom();
  return {
    has: (narHash) => files.has(narHash),
    async open(narHash) {
      const kept = files.get(narHash);
      if (kept === undefined) return undefined;
      const handle = await open(placeOf(narHash)).catch(() => undefined);
      if (handle === undefined) {
        await drop(narHash, kept);
        return undefined;
      }
      if (files.get(narHash) === kept) await markUsed(narHash, kept, handle);
      return { kept, handle };
    },
    drop,
    async create() {
      counter += 1;
      const path = join(folder, unfinished, String(counter));
      return { path, handle: await onDisk(() => openNew(path)) };
    },
    async keep({ path, handle }, narHash, bytes) {
      if (bytes > maxBytes) return onDisk(() => rm(path));
      const place = placeOf(narHash);
      // Not written through to the disk: what a loss of power leaves half is found by its checksums, and made again.
      await onDisk(() => rename(path, place));
      const before = files.get(narHash);
      if (before !== undefined) forget(narHash, before);
      const kept = { bytes };
      total += bytes;
      await markUsed(narHash, kept, handle);
      await makeRoom();
    },
  };
}

/** The folder is made where it is not there: at first, and when somebody has removed it. */
async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+');
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
    await mkdir(dirname(path), { recursive: true });
    return open(path, 'wx+');
  }
}

/** Sorted by when they were used last. */
async function filesIn(folder: string): Promise<readonly Found[]> {
  const names = await readdir(folder).catch(() => []);
  const stats = names
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map(async (narHash) => {
      const { size, mtimeMs } = await stat(join(folder, narHash));
      return { narHash, bytes: size, usedAt: Math.ceil(mtimeMs) };
    });
  const found = (await Promise.allSettled(stats)).flatMap((result) =>
    result.status === 'fulfilled' ? [result.value] : [],
  );
  return found.toSorted((a, b) => a.usedAt - b.usedAt);
}
