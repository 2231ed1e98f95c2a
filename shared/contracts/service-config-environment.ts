/** A variable of the environment that stands above the file. */
interface Variable {
  readonly path: readonly string[];
  readonly kind: 'text' | 'number' | 'boolean' | 'words';
}

function variable(path: string, kind: Variable['kind'] = 'text'): Variable {
  return { path: path.split('.'), kind };
}

/** Every variable there is. `words` are separated by spaces or commas. */
export const environmentVariables: Readonly<Record<string, Variable>> = {
  VARVE_REPOSITORY_URL: variable('repository.url'),
  VARVE_REPOSITORY_REF: variable('repository.ref'),
  VARVE_REPOSITORY_USERNAME: variable('repository.credentials.username'),
  VARVE_REPOSITORY_TOKEN_FILE: variable('repository.credentials.file'),
  VARVE_REPOSITORY_IDENTITY: variable('repository.ssh.identity'),
  VARVE_REPOSITORY_KNOWN_HOSTS: variable('repository.ssh.knownHosts'),
  VARVE_POLL_INTERVAL_SECONDS: variable('repository.pollIntervalSeconds', 'number'),
  VARVE_ON_REWRITE: variable('repository.onRewrite'),
  VARVE_DATA_DIR: variable('dataDir'),
  VARVE_LISTEN_ADDRESS: variable('listen.address'),
  VARVE_LISTEN_PORT: variable('listen.port', 'number'),
  VARVE_PUBLIC_URL: variable('publicUrl'),
  VARVE_HOST_NAMES: variable('hostNames', 'words'),
  VARVE_LOOPBACK_WITHOUT_TOKEN: variable('api.loopbackWithoutToken', 'boolean'),
  VARVE_REDIS_URL: variable('redis.url'),
  VARVE_REDIS_SOCKET: variable('redis.socket'),
  VARVE_REDIS_PASSWORD_FILE: variable('redis.password.file'),
  VARVE_LEDGER_REMOTE: variable('ledger.remote.url'),
  VARVE_LEDGER_TOKEN_FILE: variable('ledger.remote.credentials.file'),
  VARVE_LEDGER_IDENTITY: variable('ledger.remote.ssh.identity'),
  VARVE_LEDGER_KNOWN_HOSTS: variable('ledger.remote.ssh.knownHosts'),
  VARVE_INTERNAL_TOKEN_FILE: variable('internalToken.file'),
  VARVE_PROBE_INTERVAL_SECONDS: variable('probe.intervalSeconds', 'number'),
  VARVE_LEASE_TTL_SECONDS: variable('lease.ttlSeconds', 'number'),
  VARVE_CONTROLLER_URL: variable('worker.controllerUrl'),
  VARVE_IDENTITIES: variable('worker.identities', 'words'),
  VARVE_KNOWN_HOSTS: variable('worker.knownHosts'),
  VARVE_CONCURRENCY_EVALUATE: variable('worker.concurrency.evaluate', 'number'),
  VARVE_CONCURRENCY_DELIVER: variable('worker.concurrency.deliver', 'number'),
  VARVE_CONCURRENCY_ACTIVATE: variable('worker.concurrency.activate', 'number'),
  VARVE_CONCURRENCY_PROBE: variable('worker.concurrency.probe', 'number'),
  VARVE_WORKER_LOST_AFTER_SECONDS: variable('worker.lostAfterSeconds', 'number'),
  VARVE_EVALUATION_TIMEOUT_SECONDS: variable('worker.evaluation.timeoutSeconds', 'number'),
  VARVE_EVALUATION_MEMORY_MIB: variable('worker.evaluation.memoryMiB', 'number'),
  VARVE_ARCHIVES_MIB: variable('worker.push.archivesMiB', 'number'),
  VARVE_SIGNING_KEY: variable('worker.push.signingKey'),
  VARVE_LOG_LEVEL: variable('log.level'),
};

/** Variables that hold a secret themselves: the reference to them is what goes into the configuration. */
const secretVariables: Readonly<
  Record<string, { readonly path: readonly string[]; readonly value: unknown }>
> = {
  VARVE_REPOSITORY_TOKEN: {
    path: ['repository', 'credentials', 'env'],
    value: 'VARVE_REPOSITORY_TOKEN',
  },
  VARVE_LEDGER_TOKEN: {
    path: ['ledger', 'remote', 'credentials', 'env'],
    value: 'VARVE_LEDGER_TOKEN',
  },
  VARVE_REDIS_PASSWORD: { path: ['redis', 'password', 'env'], value: 'VARVE_REDIS_PASSWORD' },
  VARVE_INTERNAL_TOKEN: { path: ['internalToken', 'env'], value: 'VARVE_INTERNAL_TOKEN' },
  VARVE_API_TOKEN: {
    path: ['api', 'tokens'],
    value: [{ name: 'environment', right: 'admin', env: 'VARVE_API_TOKEN' }],
  },
  VARVE_WEBHOOK_SECRET: {
    path: ['webhooks', 'default'],
    value: { secrets: [{ env: 'VARVE_WEBHOOK_SECRET' }] },
  },
};

/** Variables of the command line, and of tests: not of the service. */
const others: readonly string[] = ['VARVE_URL', 'VARVE_TOKEN', 'VARVE_CONFIG', 'VARVE_ACTOR'];

export interface Overlay {
  /** The written configuration with the environment above it. */
  readonly data: Record<string, unknown>;
  /** Which variable gave the value at a path (joined by dots). */
  readonly from: ReadonlyMap<string, string>;
  /** Variables that begin with VARVE_ and mean nothing: a typing mistake, or somebody else's. */
  readonly unknown: readonly string[];
}

/** Lays the environment over what the file says. Neither argument is changed. */
export function overlayEnvironment(
  written: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Overlay {
  const data = structuredClone({ ...written });
  const from = new Map<string, string>();
  const unknown: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('VARVE_') || text === undefined || text === '') continue;
    const plain = Object.hasOwn(environmentVariables, name) ? environmentVariables[name] : undefined;
    const secret = Object.hasOwn(secretVariables, name) ? secretVariables[name] : undefined;
    if (plain !== undefined) {
      // Two ways to Redis exclude each other: the environment's one wins over the file's.
      const key = plain.path.join('.');
      const rival = key === 'redis.url' ? 'socket' : key === 'redis.socket' ? 'url' : undefined;
      if (rival !== undefined && !from.has(`redis.${rival}`)) put(data, ['redis', rival], undefined);
      put(data, plain.path, valueOf(plain.kind, text));
      from.set(key, name);
    } else if (secret !== undefined) {
      put(data, secret.path, secret.value);
      from.set(secret.path.join('.'), name);
    } else if (!others.includes(name)) {
      unknown.push(name);
    }
  }
  return { data, from, unknown };
}

/** What is not as it should be stays text: the schema says what is wrong with it. */
function valueOf(kind: Variable['kind'], text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'words':
      return text.split(/[\s,]+/).filter((word) => word !== '');
  }
}

function put(data: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    data[key] = value;
    // `file` and `env` of one secret exclude each other: the environment's one wins.
    if (key === 'file') delete data['env'];
    if (key === 'env') delete data['file'];
    return;
  }
  const inner = data[key];
  const next: Record<string, unknown> =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner } : {};
  data[key] = next;
  put(next, rest, value);
}
