import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import { createSingleFlight } from '../../shared/platform/single-flight.ts';
import type { StorePath } from '../../shared/domain/names.ts';
import type { Roots } from '../nix/roots.ts';
import type { NixStore } from '../nix/store.ts';

/** The guard as a store path: a single file, content-addressed by its bytes. */
export interface GuardFile {
  readonly path: StorePath;
  readonly bytes: Uint8Array;
}

/** The guard in this worker's store. */
export interface LocalGuard {
  readonly path: StorePath;
  /** Roots it, so that it stays once it is valid. */
  root(): Promise<void>;
  /** Makes it valid. @throws FleetError INTERNAL when Nix gives it another path */
  add(signal: AbortSignal): Promise<void>;
}

const nameAt = '/nix/store/'.length + 33;

export function createLocalGuard(deps: {
  readonly store: NixStore;
  readonly roots: Roots;
  readonly guard: GuardFile;
  /** For the file that is added. */
  readonly folder: string;
}): LocalGuard {
  const { store, roots, guard } = deps;
  const name = guard.path.slice(nameAt);
  const flights = createSingleFlight<void>();

  const add = async (signal: AbortSignal): Promise<void> => {
    const folder = join(deps.folder, `guard-${process.pid}`);
    await mkdir(folder, { recursive: true });
    try {
      const file = join(folder, name);
      await writeFile(file, guard.bytes);
      if ((await store.addFile(file, { signal })) === guard.path) return;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    throw new FleetError({
      code: 'INTERNAL',
      disposition: 'stalled',
      message: `the guard's contents do not belong to ${guard.path}`,
    });
  };

  return {
    path: guard.path,
    async root() {
      await roots.put(['guard'], guard.path.slice('/nix/store/'.length), guard.path);
      await roots.prune(['guard'], 3);
    },
    // Several hosts are delivered to at once; the file is added once.
    add: (signal) => flights.run(guard.path, signal, add),
  };
}
