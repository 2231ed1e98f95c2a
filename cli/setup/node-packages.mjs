// Installs the node packages that package-lock.json names, when it has changed since the last time.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { top } from './places.mjs';
import { quietly } from './processes.mjs';
import { say } from './say.mjs';

const lock = join(top, 'package-lock.json');
const stamp = join(top, 'node_modules', '.varve-packages');
/** npm writes it at the end of an installation. */
const npmsOwn = join(top, 'node_modules', '.package-lock.json');

function fingerprint() {
  return createHash('sha256').update(readFileSync(lock)).digest('hex');
}

function areInstalled() {
  if (!existsSync(npmsOwn)) return false;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint()) return true;
  // Installed by hand, after the lock was written.
  return statSync(npmsOwn).mtimeMs >= statSync(lock).mtimeMs;
}

/** True when they are there. */
export async function installNodePackages() {
  if (!areInstalled()) {
    const npm =
      process.env.npm_execpath === undefined ? ['npm'] : [process.execPath, process.env.npm_execpath];
    let said = '';
    const installed = await say.phase('node packages', async () => {
      const result = await quietly([...npm, 'ci', '--include=dev', '--no-audit', '--no-fund'], { cwd: top });
      said = result.said;
      return result.code === 0;
    });
    if (!installed) {
      process.stderr.write(said);
      return false;
    }
  }
  const now = fingerprint();
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== now) writeFileSync(stamp, now);
  return true;
}
