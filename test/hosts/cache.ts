import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { dropLock, takeLock } from './claim.ts';
import { run } from './command.ts';
import { waitFor } from './waiting.ts';

/** Where what is costly to make is kept between runs, outside the repository. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env['VARVE_CACHE']) return env['VARVE_CACHE'];
  if (env['XDG_CACHE_HOME']) return join(env['XDG_CACHE_HOME'], 'varve');
  return join(homedir(), '.cache', 'varve');
}

export function hashOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/**
 * A folder of the cache that `build` fills once. It appears complete or not at all; a second process that wants it waits
 * for the first, and takes over if that one dies.
 */
export async function cachedFolder(
  name: string,
  build: (folder: string) => Promise<void>,
  log: (line: string) => void,
): Promise<string> {
  const cache = cacheFolder();
  const target = join(cache, name);
  await mkdir(cache, { recursive: true });
  if (await exists(target)) return target;

  const lock = join(cache, `${name}.lock`);
  let told = false;
  await waitFor(
    `the turn to build ${name}`,
    async () => {
      if (await takeLock(lock)) return true;
      if (!told) log(`another process builds ${name}: waiting for it`);
      told = true;
      return undefined;
    },
    15 * 60_000,
    200,
  );
  try {
    if (await exists(target)) return target;
    await removeLeftovers(cache, name);
    const temporary = join(cache, `${name}.part-${process.pid}`);
    await mkdir(temporary);
    await build(temporary);
    await rename(temporary, target);
    return target;
  } finally {
    await dropLock(lock);
  }
}

async function removeLeftovers(cache: string, name: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (!entry.startsWith(`${name}.part-`)) continue;
    await unmountBelow(join(cache, entry));
    await rm(join(cache, entry), { recursive: true, force: true });
  }
}

/** Takes away every mount at or below a folder, the innermost first. */
export async function unmountBelow(folder: string): Promise<void> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  const points = table
    .split('\n')
    .map((line) => line.split(' ')[1]?.replaceAll('\\040', ' ') ?? '')
    .filter((point) => point === folder || point.startsWith(`${folder}/`));
  for (const point of points.reverse()) await run(['umount', '--lazy', point]);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
