import type { Logger } from '../../shared/platform/logger.ts';
import type { SigningKey } from '../../shared/platform/signing-key.ts';
import { signPath } from '../nix/signing.ts';
import { createBinaryCache, type BinaryCache, type BinaryCacheDeps } from './binary-cache.ts';
import { createServed, type ServedDeps } from './served.ts';

/** A binary cache of what the worker delivers, that answers. */
export async function startCache(
  deps: ServedDeps &
    Pick<BinaryCacheDeps, 'archives'> & {
      readonly signingKey: SigningKey;
      readonly listen: { readonly address: string; readonly port: number };
      readonly logger: Pick<Logger, 'info' | 'warn'>;
    },
): Promise<Pick<BinaryCache, 'close'>> {
  const { archives, signingKey, logger } = deps;
  const cache = createBinaryCache({
    served: createServed(deps),
    archives,
    sign: (info) => [signPath(signingKey, info)],
    log: logger,
  });
  const url = await cache.listen(deps.listen);
  logger.info({ url }, 'closures are served');
  return cache;
}
