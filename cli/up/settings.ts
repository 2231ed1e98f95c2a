import { resolve } from 'node:path';
import { readServiceConfig } from '../../shared/contracts/service-config-text.ts';
import { parseControllerConfig, parseWorkerConfig } from '../../shared/contracts/service-config.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { baseEnvironment } from '../../shared/platform/exec.ts';
import { serviceConfigInput } from '../../shared/platform/service.ts';
import { type ListenPlace, defaultDataFolder } from './data-folder.ts';

/** What was given on the command line. What was not stands in the service's file, its environment, or nowhere. */
export interface UpOptions {
  readonly repo: string | undefined;
  readonly ref: string | undefined;
  readonly data: string | undefined;
  readonly listen: ListenPlace | undefined;
  readonly identities: readonly string[];
  readonly knownHosts: string | undefined;
  readonly redis: string | undefined;
  readonly config: string | undefined;
}

/** What `varve up` itself goes by. */
export interface UpSettings {
  /** No repository is named anywhere: the example fleet is run. */
  readonly example: boolean;
  /** Where everything is kept; absolute. */
  readonly folder: string;
  /** Where the API will be. */
  readonly listen: ListenPlace;
  /** No Redis is named anywhere: a private one is started. */
  readonly ownRedis: boolean;
  /** What controller and worker are told. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * An option wins over the environment, that over the file, that over the default: controller and worker read file and
 * environment as ever, and what they find there is what is gone by here.
 * @throws FleetError CONFIG_INVALID
 */
export function upSettings(
  options: UpOptions,
  outer: Readonly<Record<string, string | undefined>>,
  uid: number | undefined,
): UpSettings {
  const env = serviceEnvironment(options, outer);
  const example = env['VARVE_REPOSITORY_URL'] === undefined && env['VARVE_CONFIG'] === undefined;
  const { written, says } = readServiceConfig(serviceConfigInput([], env));
  for (const name of namedVariables(written)) env[name] ??= outer[name] ?? '';
  const { listen } = written;
  if (listen.port === 0) {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: 'port 0 is any free port: `varve up` would not know where its controller answers',
      hint: 'say which one: --listen 127.0.0.1:7420',
    });
  }
  const usual = defaultDataFolder(outer, uid);
  // The example begins anew each time: nothing of it lies among what is to be kept.
  const folder = says('dataDir') ? written.dataDir : example ? `${usual}-example` : usual;
  env['VARVE_DATA_DIR'] = folder;
  if (!example) {
    // What controller and worker would refuse is refused before anything is started.
    parseControllerConfig(serviceConfigInput([], env));
    parseWorkerConfig(serviceConfigInput([], env));
  }
  return { example, folder, listen, ownRedis: !says('redis'), env };
}

function serviceEnvironment(
  options: UpOptions,
  outer: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = baseEnvironment(outer);
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') env[name] = value;
  };
  for (const [name, value] of Object.entries(outer)) if (name.startsWith('VARVE_')) set(name, value);
  set('VARVE_CONFIG', options.config);
  set('VARVE_REPOSITORY_URL', options.repo === undefined ? undefined : absolute(options.repo));
  set('VARVE_REPOSITORY_REF', options.ref);
  set('VARVE_DATA_DIR', options.data === undefined ? undefined : resolve(options.data));
  set('VARVE_LISTEN_ADDRESS', options.listen?.address);
  set('VARVE_LISTEN_PORT', options.listen === undefined ? undefined : String(options.listen.port));
  set('VARVE_IDENTITIES', options.identities.join(','));
  set('VARVE_KNOWN_HOSTS', options.knownHosts);
  set('VARVE_REDIS_URL', options.redis);
  if (options.redis !== undefined) delete env['VARVE_REDIS_SOCKET'];
  return env;
}

/** The variables in which the configuration says that its secrets are: of the rest the programs see nothing. */
function namedVariables(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'env' && typeof inner === 'string' ? [inner] : namedVariables(inner),
  );
}

/** A path as people type it; other addresses stay as they are. */
function absolute(repo: string): string {
  return /^\.{1,2}(\/|$)/.test(repo) ? resolve(repo) : repo;
}
