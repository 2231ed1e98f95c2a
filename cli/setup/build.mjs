// Compiles the programs into dist/, when a source has changed since the last time.

import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

import { packageCommand, top } from './places.mjs';
import { quietly } from './processes.mjs';
import { say } from './say.mjs';

const folders = ['controller', 'worker', 'shared', 'cli', 'test'];
const dist = join(top, 'dist');
const stamp = join(dist, '.varve-build');

/** Every file that the build reads, sorted. */
export function sourcesIn(from, names = folders) {
  const found = [];
  for (const name of names) {
    const folder = join(from, name);
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) found.push(join(entry.parentPath, entry.name));
    }
  }
  return found.toSorted();
}

/** What is needed at run time besides code: scripts for hosts and the like. */
export function isAsset(file) {
  return !/\.(ts|mts|md)$/.test(file) && !file.startsWith('cli/setup/') && !file.startsWith('test/fixtures/');
}

function fingerprint(files) {
  const hash = createHash('sha256').update(process.version);
  for (const file of [...files, join(top, 'tsconfig.json'), join(top, 'package-lock.json')]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** True when dist/ is up to date. */
export async function buildPrograms() {
  const files = sourcesIn(top);
  const wanted = fingerprint(files);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true;
  // Made beside dist/ and put in its place at the end: programs that run from there keep finding their files, and
  // what has no source any more is gone.
  const draft = join(top, '.varve', `dist-${process.pid}`);
  const before = `${draft}-before`;
  let said = '';
  try {
    const built = await say.phase('build', async () => {
      // Without checks the compiler is quick; they are the business of `npm run check`.
      const compile = [packageCommand('tsc'), '-p', 'tsconfig.json', '--noCheck', '--outDir', draft];
      const result = await quietly(compile, { cwd: top });
      said = result.said;
      if (result.code !== 0) return false;
      copyAssets(files, draft);
      writeFileSync(join(draft, basename(stamp)), wanted);
      if (existsSync(dist)) renameSync(dist, before);
      renameSync(draft, dist);
      return true;
    });
    if (!built) process.stderr.write(said);
    return built;
  } finally {
    for (const folder of [draft, before]) rmSync(folder, { recursive: true, force: true });
  }
}

function copyAssets(files, to) {
  for (const file of files) {
    const path = relative(top, file);
    if (!isAsset(path)) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(file, join(to, path));
  }
}
