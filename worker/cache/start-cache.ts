import type { WorkerConfig } from '../../shared/contracts/service-config.ts';
import type { CacheAccess } from '../../shared/contracts/service-config-cache.ts';
import type { Logger } from '../../shared/platform/logger.ts';
import { publicKeyOf, type SigningKey } from '../../shared/platform/signing-key.ts';
import type { ValidPathInfo } from '../nix/protocol/path-info.ts';
import { isSignedBy, signPath } from '../nix/signing.ts';
import type { PathInfo } from '../nix/store.ts';
import { createBinaryCache, type BinaryCacheDeps } from './binary-cache.ts';
import type { CacheTarget } from './cache-target.ts';
import { createFolderTarget } from './folder-target.ts';
import { basicAuthorization, createHttpTarget } from './http-target.ts';
import { createPublisher, type Publish } from './publisher.ts';
import { s3Authorization } from './s3-authorization.ts';
import { createServed, type ServedDeps } from './served.ts';

export interface StartedCache {
  /** `undefined`: there is no cache to publish to. */
  readonly publish: Publish | undefined;
  close(): Promise<void>;
}

/** What the configuration says of caches: the one that the worker is itself, and the one that it publishes to. */
export async function startCache(
  deps: ServedDeps &
    Pick<BinaryCacheDeps, 'archives'> & {
      readonly config: WorkerConfig['cache'];
      readonly signingKey: SigningKey | undefined;
      readonly logger: Pick<Logger, 'info' | 'warn'>;
    },
): Promise<StartedCache> {
  const { archives, store, config, signingKey, logger } = deps;
  const sign = (info: PathInfo): readonly string[] =>
    signingKey === undefined ? [] : [signPath(signingKey, info)];
  const isSigned = (info: ValidPathInfo): boolean =>
    signingKey === undefined || isSignedBy(publicKeyOf(signingKey), info);
  const publish =
    config.publish === undefined
      ? undefined
      : createPublisher({ target: targetOf(config.publish), store, archives, sign, isSigned });
  if (config.listen === undefined) return { publish, close: async () => {} };
  const cache = createBinaryCache({ served: createServed(deps), archives, sign, log: logger });
  const url = await cache.listen(config.listen);
  logger.info({ url }, 'closures are served');
  return { publish, close: () => cache.close() };
}

export function targetOf(access: CacheAccess): CacheTarget {
  switch (access.kind) {
    case 'folder':
      return createFolderTarget(access.folder);
    case 'http':
      return createHttpTarget({ url: access.url, authorize: basicAuthorization(access.credentials) });
    case 's3':
      // Whoever may not list a bucket is not told what it lacks.
      return createHttpTarget({ url: access.url, authorize: s3Authorization(access), alsoMissing: [403] });
  }
}
