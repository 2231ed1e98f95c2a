import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { cacheAccess, remoteAccess, type RemoteAccess } from './service-config-access.ts';
import type { CacheAccess } from './service-config-cache.ts';
import { commonConfig, type CommonConfig } from './service-config-common.ts';
import { createSecrets } from './service-config-secrets.ts';
import { readServiceConfig, type ServiceConfigInput } from './service-config-text.ts';

export type { RemoteAccess } from './service-config-access.ts';
export type { InternalToken, RedisAccess } from './service-config-common.ts';
export type { ServiceConfigInput } from './service-config-text.ts';

export interface ControllerConfig extends CommonConfig {
  readonly repository: RemoteAccess & {
    readonly ref: string;
    readonly pollIntervalMs: number;
    readonly onRewrite: 'follow' | 'hold';
  };
  readonly listen: { readonly address: string; readonly port: number };
  /** Where others reach this controller; standbys tell it. */
  readonly publicUrl: string | undefined;
  readonly hostNames: readonly string[];
  readonly api: {
    readonly tokens: readonly {
      readonly name: string;
      readonly right: 'read' | 'operate' | 'admin';
      readonly sha256: string;
    }[];
    readonly loopbackWithoutToken: boolean;
  };
  readonly webhooks: readonly {
    readonly id: string;
    readonly secrets: readonly string[];
    readonly repositories: readonly string[];
    readonly ref: string;
  }[];
  readonly ledgerRemote: RemoteAccess | undefined;
  readonly probeIntervalMs: number;
  readonly leaseTtlMs: number;
}

export interface WorkerConfig extends CommonConfig {
  readonly controllerUrl: string;
  /** Files of SSH identities, tried in order; empty: the agent's, and those at the usual places. */
  readonly identities: readonly string[];
  readonly knownHosts: string | undefined;
  readonly concurrency: Readonly<Record<'evaluate' | 'deliver' | 'activate' | 'probe', number>>;
  /** How long a worker may be silent before its jobs are given to others. */
  readonly lostAfterMs: number;
  readonly evaluation: {
    readonly timeoutMs: number;
    /** Of all processes of one evaluation together; `undefined`: as much as there is. */
    readonly memoryMiB: number | undefined;
  };
  readonly push: {
    /** Of the compressed archives that are kept. */
    readonly archivesMiB: number;
    /** The file of the key that closures are signed with. */
    readonly signingKey: string | undefined;
  };
  readonly cache: {
    /** Where the worker's closures are served; `undefined`: nowhere. */
    readonly listen: { readonly address: string; readonly port: number } | undefined;
    /** Where they are published for hosts to fetch; `undefined`: nowhere. */
    readonly publish: CacheAccess | undefined;
  };
  /** Programs that checks may name. */
  readonly commands: ReadonlyMap<string, WorkerCommand>;
  readonly nixSettings: Readonly<Record<string, string>>;
}

/** A program on the worker, by the name under which a repository may ask for it. */
export interface WorkerCommand {
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
}

export interface ParsedConfig<Config> {
  readonly config: Config;
  /** For the log at the start. */
  readonly warnings: readonly string[];
}

/** @throws FleetError CONFIG_INVALID */
export function parseControllerConfig(input: ServiceConfigInput): ParsedConfig<ControllerConfig> {
  const read = readServiceConfig(input);
  const { written, complain } = read;
  const secrets = createSecrets(input, read);
  const { repository } = written;
  if (repository.url === undefined) {
    complain(['repository'], 'url: which repository is to be watched? (or VARVE_REPOSITORY_URL)');
  }
  const publicNames = [
    ...written.hostNames,
    ...(written.publicUrl === undefined ? [] : [new URL(written.publicUrl).hostname]),
  ];
  const config: ControllerConfig = {
    ...commonConfig(written, secrets),
    repository: {
      ...remoteAccess(['repository'], { ...repository, url: repository.url ?? '' }, secrets, complain),
      ref: repository.ref.replace(/^refs\/heads\//, ''),
      pollIntervalMs: repository.pollIntervalSeconds * 1_000,
      onRewrite: repository.onRewrite,
    },
    listen: written.listen,
    publicUrl: written.publicUrl,
    hostNames: publicNames,
    api: {
      tokens: written.api.tokens.map((token, i) => ({
        name: token.name,
        right: token.right,
        sha256: token.sha256 ?? tokenDigest(secrets.read(['api', 'tokens', i], token)),
      })),
      // A public name means that a proxy on this machine may speak for others, and not every proxy says so.
      loopbackWithoutToken: written.api.loopbackWithoutToken ?? publicNames.every(isLoopback),
    },
    webhooks: Object.entries(written.webhooks).map(([id, webhook]) => ({
      id,
      secrets: webhook.secrets.map((secret, i) => secrets.read(['webhooks', id, 'secrets', i], secret)),
      repositories: [...webhook.repositories, ...(repository.url === undefined ? [] : [repository.url])],
      ref: repository.ref,
    })),
    ledgerRemote:
      written.ledger.remote === undefined
        ? undefined
        : remoteAccess(['ledger', 'remote'], written.ledger.remote, secrets, complain),
    probeIntervalMs: written.probe.intervalSeconds * 1_000,
    leaseTtlMs: written.lease.ttlSeconds * 1_000,
    secrets: secrets.all,
  };
  if (config.api.tokens.length === 0) {
    if (!config.api.loopbackWithoutToken) {
      read.warnings.push('the API requires a token, and there are none: set `api.tokens`');
    } else if (!isLoopback(config.listen.address)) {
      read.warnings.push(
        'the API listens beyond this machine but there are no API tokens: only this machine can use it',
      );
    }
  }
  read.settle();
  return { config, warnings: read.warnings };
}

/** @throws FleetError CONFIG_INVALID */
export function parseWorkerConfig(input: ServiceConfigInput): ParsedConfig<WorkerConfig> {
  const read = readServiceConfig(input);
  const { written, complain } = read;
  const secrets = createSecrets(input, read);
  const { worker, listen } = written;
  const way = (['listen', 'publish'] as const).find((each) => worker.cache[each] !== undefined);
  if (way !== undefined && worker.push.signingKey === undefined) {
    complain(
      ['worker', 'cache', way],
      'hosts take nothing from a cache that is not signed: set `worker.push.signingKey` (`varve keygen` makes one)',
    );
  }
  const config: WorkerConfig = {
    ...commonConfig(written, secrets),
    controllerUrl: (worker.controllerUrl ?? ownUrl(listen)).replace(/\/+$/, ''),
    identities: worker.identities,
    knownHosts: worker.knownHosts,
    concurrency: worker.concurrency,
    lostAfterMs: worker.lostAfterSeconds * 1_000,
    evaluation: {
      timeoutMs: worker.evaluation.timeoutSeconds * 1_000,
      memoryMiB: worker.evaluation.memoryMiB,
    },
    push: { archivesMiB: worker.push.archivesMiB, signingKey: worker.push.signingKey },
    cache: {
      listen: worker.cache.listen,
      publish: cacheAccess(worker.cache.publish, secrets, input, complain),
    },
    commands: new Map(
      Object.entries(worker.commands).map(([name, { argv, timeoutSeconds }]): [string, WorkerCommand] => [
        name,
        { argv, timeoutMs: timeoutSeconds * 1_000 },
      ]),
    ),
    nixSettings: worker.nix.settings,
    secrets: secrets.all,
  };
  read.settle();
  return { config, warnings: read.warnings };
}

/** Where a program on this machine reaches what listens so. */
export function ownUrl(listen: { readonly address: string; readonly port: number }): string {
  const anyAddress = listen.address === '0.0.0.0' || listen.address === '::';
  const address = anyAddress ? '127.0.0.1' : listen.address;
  return `http://${isIP(address) === 6 ? `[${address}]` : address}:${listen.port}`;
}

/** A token file may hold the token, or `sha256:` and its digest. */
function tokenDigest(text: string): string {
  const digest = /^sha256:([0-9a-f]{64})$/.exec(text.trim())?.[1];
  return digest ?? createHash('sha256').update(text.trim()).digest('hex');
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address === '[::1]' || address.startsWith('127.');
}
