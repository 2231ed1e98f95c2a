// Finds the programs that a command needs, and gets the missing ones where it can.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { aptInstall, mayInstall } from './apt.mjs';
import { distributionOf, missingOf, packagesFor, programs, waysToGet } from './programs.mjs';
import { say } from './say.mjs';

/** Where administrators' programs are, which an ordinary user's PATH may leave out. */
const administrative = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

function widenPath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  process.env.PATH = [...folders, ...administrative.filter((folder) => !folders.includes(folder))].join(
    delimiter,
  );
}

function isThere(name) {
  if (name.includes('/')) return existsSync(name) && isStatic(name);
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A program at a fixed place is copied into systems that have nothing else: it must not need a loader. */
function isStatic(file) {
  return !readFileSync(file).subarray(0, 4_096).includes('/ld-');
}

function osRelease() {
  return existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
}

/** True when all of them are there, in the end. Says what is missing and how to get it when not. */
export async function ensurePrograms(names) {
  widenPath();
  const missing = missingOf(names, isThere);
  if (missing.length === 0) return true;
  const distribution = distributionOf(process.platform, osRelease());
  const reasons = missing.map((name) => `${programs[name].any.join(' or ')} (${programs[name].why})`);
  const packages = packagesFor(missing, 'debian');
  if (distribution === 'debian' && packages !== undefined && mayInstall()) {
    say.note(`missing: ${reasons.join(', ')}`);
    say.note(`apt is about to install: ${packages.join(' ')}`);
    if (!(await aptInstall(packages))) return false;
    const still = missingOf(names, isThere);
    if (still.length === 0) return true;
    return tellWhatIsMissing(still, distribution);
  }
  return tellWhatIsMissing(missing, distribution);
}

function tellWhatIsMissing(missing, distribution) {
  for (const name of missing)
    say.problem(`missing: ${programs[name].any.join(' or ')}, which ${programs[name].why}`);
  for (const way of waysToGet(missing, distribution)) say.note(way);
  say.note('they only have to be on PATH; then run this again');
  return false;
}
