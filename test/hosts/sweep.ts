import { rm } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

import { unmountBelow } from './cache.ts';
import { cgroupName, removeCgroups } from './cgroup.ts';
import { dropLock, takeLock } from './claim.ts';
import { listLabs, releaseNumber, sweepLock } from './lab-registry.ts';
import { removeNetworks } from './network.ts';

/** Removes every lab whose owner is gone: processes, mounts, namespaces, networks, folders. Gives how many it removed. */
export async function sweepStaleLabs(): Promise<number> {
  let removed = 0;
  for (const { number } of (await listLabs()).filter((lab) => !lab.alive)) {
    // One sweeper per lab: a second one would hit a new lab of the same number once the first is done.
    if (!(await takeLock(sweepLock(number)))) continue;
    try {
      const lab = (await listLabs()).find((it) => it.number === number && !it.alive);
      if (lab === undefined) continue;
      await tearDown(lab.number, lab.dir);
      removed += 1;
    } finally {
      await dropLock(sweepLock(number));
    }
  }
  return removed;
}

/** Removes a lab, as far as it is there. Safe to repeat. */
export async function tearDown(lab: number, dir: string): Promise<void> {
  const prefix = cgroupName(lab, 0).slice(0, -1);
  await removeCgroups((name) => name.startsWith(prefix));
  await removeNetworks(lab);
  if (dir !== '') {
    await unmountBelow(dir);
    await rm(dir, { recursive: true, force: true });
  }
  // Last, so that a crash in here leaves the rest to the next sweep.
  await releaseNumber(lab);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const count = await sweepStaleLabs();
  process.stdout.write(`${count} stale ${count === 1 ? 'lab' : 'labs'} removed\n`);
}
