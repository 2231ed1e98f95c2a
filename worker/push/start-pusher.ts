import { availableParallelism } from 'node:os';

import type { Logger } from '../../shared/platform/logger.ts';
import type { SigningKey } from '../../shared/platform/signing-key.ts';
import { archiveOf } from '../nix/nar.ts';
import { signPath } from '../nix/signing.ts';
import { createArchives, type Archives } from './archives.ts';
import { createCompressor } from './compressor.ts';
import { createPusher, type PusherDeps } from './pusher.ts';
import type { Push } from './push.ts';
import { rememberRecent } from './recent-archives.ts';
import { rememberClosures } from './recent-closures.ts';

export interface StartedPusher {
  readonly push: Push;
  readonly archives: Pick<Archives, 'pieces'>;
  /** Gives up what is being compressed. */
  close(): Promise<void>;
}

const recentBytes = 64 * 1024 * 1024;

/** A pusher with all that it needs: archives on the disk, and threads that compress them. */
export async function startPusher(
  deps: Pick<PusherDeps, 'ssh' | 'store' | 'settings'> & {
    /** Where the worker's store paths really are: before `/nix/store`; empty but for a store in a folder of its own. */
    readonly storeRoot: string;
    /** For archives; of this process alone. */
    readonly folder: string;
    /** Of the archives together. */
    readonly maxBytes: number;
    readonly log?: Pick<Logger, 'warn'>;
    readonly signingKey?: SigningKey | undefined;
  },
): Promise<StartedPusher> {
  const { storeRoot, folder, maxBytes, log, signingKey } = deps;
  const source = { read: (path: string) => archiveOf(`${storeRoot}${path}`) };
  const compressor = createCompressor({ threads: Math.min(availableParallelism(), 4) });
  const kept = { source, compressor, folder, maxBytes };
  const onDisk = await createArchives(log === undefined ? kept : { ...kept, log });
  const archives = rememberRecent(onDisk, recentBytes);
  return {
    archives,
    push: createPusher({
      ...deps,
      store: rememberClosures(deps.store),
      source,
      archives,
      sign: (info) => (signingKey === undefined ? [] : [signPath(signingKey, info)]),
    }),
    async close() {
      await archives.close();
      await compressor.close();
    },
  };
}
