import type { WrittenServiceConfig } from './service-config-schema.ts';
import type { Secrets } from './service-config-secrets.ts';

export type RedisAccess =
  | { readonly kind: 'url'; readonly url: string; readonly password: string | undefined }
  | { readonly kind: 'socket'; readonly path: string; readonly password: string | undefined };

/** The token that controller and workers share: given, or kept in a file that the controller makes. */
export type InternalToken =
  | { readonly kind: 'given'; readonly token: string }
  | { readonly kind: 'file'; readonly path: string };

/** What both programs need. Times are in milliseconds, paths absolute or as given. */
export interface CommonConfig {
  /** Names the fleet in Redis. */
  readonly fleet: string;
  readonly dataDir: string;
  readonly redis: RedisAccess;
  readonly internalToken: InternalToken;
  readonly logLevel: WrittenServiceConfig['log']['level'];
  /** Every secret of this configuration, for the redactor. */
  readonly secrets: readonly string[];
}

/** All of it but the secrets, which are known when everything is read. */
export function commonConfig(written: WrittenServiceConfig, secrets: Secrets): Omit<CommonConfig, 'secrets'> {
  const { redis, internalToken, dataDir } = written;
  const password =
    redis.password === undefined ? undefined : secrets.read(['redis', 'password'], redis.password);
  // A file for the internal token may not be there yet: the controller makes it.
  const token: InternalToken =
    internalToken?.env === undefined
      ? { kind: 'file', path: internalToken?.file ?? `${dataDir}/internal-token` }
      : { kind: 'given', token: secrets.read(['internalToken'], internalToken) };
  return {
    fleet: written.fleet,
    dataDir,
    redis:
      redis.socket === undefined
        ? { kind: 'url', url: redis.url ?? 'redis://127.0.0.1:6379', password }
        : { kind: 'socket', path: redis.socket, password },
    internalToken: token,
    logLevel: written.log.level,
  };
}
