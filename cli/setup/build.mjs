// Compiles the programs into dist/, when a source has changed since the last time.

import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

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
      if (entry.isFile()) found.push(join(entry.parentPath ?? entry.path, entry.name));
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
  let said = '';
  const built = await say.phase('build', async () => {
    // What has no source any more must not be found in dist/ either; the compiler is quick without its checks, which
    // are the business of `npm run check`.
    rmSync(dist, { recursive: true, force: true });
    const result = await quietly([packageCommand('tsc'), '-p', 'tsconfig.json', '--noCheck'], { cwd: top });
    said = result.said;
    if (result.code !== 0) return false;
    for (const file of files) {
      const path = relative(top, file);
      if (!isAsset(path)) continue;
      mkdirSync(dirname(join(dist, path)), { recursive: true });
      cpSync(file, join(dist, path));
    }
    return true;
  });
  if (built) writeFileSync(stamp, wanted);
  else process.stderr.write(said);
  return built;
}
