import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

import { isAlive, ownProcess, parseProcess } from './process-identity.ts';

/** Makes a file with this content unless it exists; says whether it did. The file is never seen half written. */
export async function claim(path: string, content: string): Promise<boolean> {
  const temporary = besides(path);
  await writeFile(temporary, content);
  try {
    return await linkUnlessThere(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Takes a lock file for this process, also from a process that died with it; says whether it did. */
export async function takeLock(path: string): Promise<boolean> {
  if (await claim(path, JSON.stringify(await ownProcess()))) return true;
  if (!(await isAbandoned(path))) return false;
  // Set aside before it is judged: another process may have taken it over in between.
  const aside = besides(path);
  try {
    await rename(path, aside);
  } catch {
    return false;
  }
  if (!(await isAbandoned(aside))) await linkUnlessThere(aside, path);
  await rm(aside, { force: true });
  return claim(path, JSON.stringify(await ownProcess()));
}

export async function dropLock(path: string): Promise<void> {
  await rm(path, { force: true });
}

async function isAbandoned(path: string): Promise<boolean> {
  const holder = parseProcess(await readFile(path, 'utf8').catch(() => ''));
  return holder !== undefined && !(await isAlive(holder));
}

async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function besides(path: string): string {
  return `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
}
