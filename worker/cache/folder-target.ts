import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import { type CacheFile, type CacheTarget, notPut, reasonOf } from './cache-target.ts';

/** In the folder of the cache: files that are not whole. Whoever else writes to the cache has its own there. */
const unfinishedFolder = '.varve-unfinished';
/** Who was killed has left what nobody writes to any more. */
const staleMs = 3_600_000;

/** A cache in a folder, as `file://` names one to Nix. What is put there stays whole, whenever the power is lost. */
export function createFolderTarget(folder: string): CacheTarget {
  const unfinished = join(folder, unfinishedFolder);
  let tidiedAt = -Infinity;

  async function tidy(): Promise<void> {
    const now = Date.now();
    if (now - tidiedAt < staleMs) return;
    tidiedAt = now;
    // What cannot be removed is in nobody's way.
    for (const name of await readdir(unfinished).catch(() => [])) {
      const file = join(unfinished, name);
      const found = await stat(file).catch(() => undefined);
      if (found !== undefined && now - found.mtimeMs > staleMs)
        await rm(file, { force: true }).catch(() => {});
    }
  }

  return {
    name: folder,
    has: async (name) => (await stat(join(folder, name)).catch(() => undefined)) !== undefined,
    read: (name) => readFile(join(folder, name), 'utf8').catch(() => undefined),
    async put(name, file, signal) {
      const place = join(folder, name);
      const fresh = join(unfinished, randomUUID());
      try {
        await Promise.all([makeFolder(unfinished), makeFolder(dirname(place))]);
        await tidy();
        await write(fresh, file, signal);
        await rename(fresh, place);
        await sync(dirname(place));
      } catch (thrown) {
        await rm(fresh, { force: true }).catch(() => {});
        throw signal.aborted || thrown instanceof FleetError
          ? thrown
          : notPut(folder, name, reasonOf(thrown), thrown);
      }
    },
  };
}

/** Before it has its name: a name may outlast a loss of power that the contents do not. */
async function write(path: string, file: CacheFile, signal: AbortSignal): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    for await (const bytes of file.read()) {
      signal.throwIfAborted();
      await handle.writeFile(bytes);
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await sync(dirname(made));
}

/** What was named in a folder keeps its name. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } catch (thrown) {
    // Not every file system can be asked for it.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EINVAL')) throw thrown;
  } finally {
    await handle.close();
  }
}
