import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { claim } from './claim.ts';
import { isAlive, ownProcess, parseProcess } from './process-identity.ts';
import { FleetError } from '../../shared/domain/errors.ts';

/**
 * The labs of this machine, one file each, named by the lab's number. All that a lab makes on the machine is named by that
 * number too, so that whoever finds the file of a dead owner can clean up. The folder is the machine's, like the networks and
 * namespaces that the numbers stand for, and like them it ends with a reboot.
 */
const folder = '/run/varve-labs';

export interface LabRecord {
  readonly number: number;
  /** The folder that holds the lab's disks. */
  readonly dir: string;
  readonly alive: boolean;
}

/** Takes the first free number for this process. `isFree` says whether the machine has no other use for it. */
export async function claimNumber(
  dir: string,
  isFree: (number: number) => Promise<boolean>,
): Promise<number> {
  await mkdir(folder, { recursive: true });
  const content = JSON.stringify({ ...(await ownProcess()), dir });
  for (let number = 1; number < 255; number += 1) {
    if (!(await claim(fileOf(number), content))) continue;
    if (await isFree(number)) return number;
    await releaseNumber(number);
  }
  throw new FleetError({
    code: 'CONFLICT',
    disposition: 'stalled',
    message: 'this machine has no free network for another lab of test hosts',
    hint: 'Run `npx tsx test/hosts/sweep.ts`.',
  });
}

export async function releaseNumber(number: number): Promise<void> {
  await rm(fileOf(number), { force: true });
}

export async function listLabs(): Promise<LabRecord[]> {
  const labs: LabRecord[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const number = Number(/^(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(number)) continue;
    const text = await readFile(fileOf(number), 'utf8').catch(() => '');
    const owner = parseProcess(text);
    if (owner === undefined) continue;
    labs.push({ number, dir: dirOf(text), alive: await isAlive(owner) });
  }
  return labs;
}

/** Held by whoever cleans up after a lab. */
export function sweepLock(number: number): string {
  return join(folder, `${number}.sweep`);
}

function fileOf(number: number): string {
  return join(folder, `${number}.json`);
}

function dirOf(text: string): string {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && 'dir' in value && typeof value.dir === 'string'
    ? value.dir
    : '';
}
