import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import type { StorePath } from '../../shared/domain/names.ts';
import type { Roots } from '../nix/roots.ts';
import type { NixStore } from '../nix/store.ts';

/** The guard as a store path: a single file, content-addressed by its archive. */
export interface GuardFile {
  readonly path: StorePath;
  readonly bytes: Uint8Array;
}

/** Makes the guard valid and rooted on this worker. */
export interface LocalGuard {
  /** @throws FleetError INTERNAL when Nix gives it another path */
  ensure(signal: AbortSignal): Promise<StorePath>;
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
  let rooted = false;

  const add = async (signal: AbortSignal): Promise<void> => {
    const folder = join(deps.folder, `guard-${process.pid}`);
    await mkdir(folder, { recursive: true });
    try {
      for (const mode of [0o644, 0o755]) {
        const file = join(folder, name);
        await rm(file, { force: true });
        await writeFile(file, guard.bytes, { mode });
        if ((await store.add(file, { signal })) === guard.path) return;
      }
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
    async ensure(signal) {
      if (rooted) return guard.path;
      await roots.put(['guard'], guard.path.slice('/nix/store/'.length), guard.path);
      await add(signal);
      await roots.prune(['guard'], 3);
      rooted = true;
      return guard.path;
    },
  };
}
