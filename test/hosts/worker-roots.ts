import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** Where a worker with this data folder keeps its roots in this machine's store. */
export function workerRoots(dataDir: string): string {
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join('/nix/var/nix/gcroots/varve-worker', digest);
}
