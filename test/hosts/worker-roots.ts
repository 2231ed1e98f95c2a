import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { workerRootsFolder } from '../../shared/contracts/places.ts';

/** Where a worker with this data folder keeps its roots in this machine's store. */
export function workerRoots(dataDir: string): string {
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(workerRootsFolder, digest);
}
