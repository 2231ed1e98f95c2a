import { type CacheAccess, parseCachePlace } from './service-config-cache.ts';
import type { WrittenServiceConfig } from './service-config-schema.ts';
import type { Secrets } from './service-config-secrets.ts';
import type { ReadServiceConfig, ServiceConfigInput } from './service-config-text.ts';

/** How a Git remote is reached. */
export interface RemoteAccess {
  /** Without credentials. */
  readonly url: string;
  readonly credentials:
    | {
        readonly username: string;
        /** As it was at the start. */
        readonly password: string;
        /** Where it is read anew. */
        readonly passwordFile: string | undefined;
      }
    | undefined;
  /** Files of the SSH identity and of the known host keys. */
  readonly ssh: { readonly identity: string | undefined; readonly knownHosts: string | undefined };
}

/** Complains of credentials that are of no use there. */
export function remoteAccess(
  path: readonly string[],
  remote: {
    readonly url: string;
    readonly credentials?: WrittenServiceConfig['repository']['credentials'];
    readonly ssh?: WrittenServiceConfig['repository']['ssh'];
  },
  secrets: Secrets,
  complain: ReadServiceConfig['complain'],
): RemoteAccess {
  const { credentials, ssh } = remote;
  if (credentials !== undefined && !/^(https?:|$)/.test(remote.url)) {
    complain(
      [...path, 'credentials'],
      'credentials: a user name and a token are for http(s) addresses; for SSH give `ssh.identity`',
    );
  }
  return {
    url: remote.url,
    credentials:
      credentials === undefined
        ? undefined
        : {
            username: credentials.username,
            password: secrets.read([...path, 'credentials'], credentials),
            passwordFile: credentials.file,
          },
    ssh: { identity: ssh?.identity, knownHosts: ssh?.knownHosts },
  };
}

/** As `remoteAccess`, for a cache; its keys of a bucket are where AWS's own programs look for them. */
export function cacheAccess(
  written: WrittenServiceConfig['worker']['cache']['publish'],
  secrets: Secrets,
  { env }: ServiceConfigInput,
  complain: ReadServiceConfig['complain'],
): CacheAccess | undefined {
  if (written === undefined) return undefined;
  const path = ['worker', 'cache', 'publish'];
  const place = parseCachePlace(written.url);
  const { credentials } = written;
  if (credentials !== undefined && place.kind !== 'http') {
    complain([...path, 'credentials'], 'credentials: a user name and a password are for http(s) addresses');
  }
  switch (place.kind) {
    // The schema has complained.
    case 'wrong':
      return undefined;
    case 'folder':
      return place;
    case 'http':
      return {
        ...place,
        credentials:
          credentials === undefined
            ? undefined
            : {
                username: credentials.username,
                password: secrets.read([...path, 'credentials'], credentials),
              },
      };
    case 's3': {
      const sessionToken = env['AWS_SESSION_TOKEN'];
      return {
        ...place,
        keys: {
          accessKeyId: secrets.read(path, { env: 'AWS_ACCESS_KEY_ID' }),
          secretAccessKey: secrets.read(path, { env: 'AWS_SECRET_ACCESS_KEY' }),
          sessionToken:
            sessionToken === undefined || sessionToken === ''
              ? undefined
              : secrets.read(path, { env: 'AWS_SESSION_TOKEN' }),
        },
      };
    }
  }
}
