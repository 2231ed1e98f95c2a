import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  ownUrl,
  parseControllerConfig,
  parseWorkerConfig,
} from '../../../../shared/contracts/service-config.ts';
import { FleetError } from '../../../../shared/domain/errors.ts';

const files: Readonly<Record<string, string>> = {
  '/run/token': 'forge-token\n',
  '/run/hook': 'hook-secret\n',
  '/run/api': 'api-token\n',
  '/run/api-hash': `sha256:${'a'.repeat(64)}\n`,
  '/run/empty': '',
};

function input(text: string | undefined, env: Readonly<Record<string, string>> = {}) {
  return {
    text,
    path: 'service.yaml',
    env,
    readFile(path: string): string {
      const file = files[path];
      if (file === undefined) throw Object.assign(new Error('absent'), { code: 'ENOENT' });
      return file;
    },
  };
}

/** The complaints about a configuration, a line each. */
function complaints(text: string | undefined, env: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    parseControllerConfig(input(text, env));
  } catch (thrown) {
    if (thrown instanceof FleetError && thrown.code === 'CONFIG_INVALID') return thrown.message.split('\n');
    throw thrown;
  }
  return [];
}

const least = 'repository:\n  url: https://forge.example/fleet.git\n';

describe('the configuration of the controller', () => {
  test('is complete from as little as the repository', () => {
    const { config, warnings } = parseControllerConfig(input(least));
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      repository: {
        url: 'https://forge.example/fleet.git',
        ref: 'main',
        pollIntervalMs: 60_000,
        onRewrite: 'follow',
        credentials: undefined,
      },
      dataDir: '/var/lib/varve',
      listen: { address: '127.0.0.1', port: 7420 },
      redis: { kind: 'url', url: 'redis://127.0.0.1:6379' },
      internalToken: { kind: 'file', path: '/var/lib/varve/internal-token' },
      probeIntervalMs: 300_000,
      leaseTtlMs: 15_000,
      ledgerRemote: undefined,
    });
  });

  test('reads secrets from files, keeps API tokens only as digests, and lists secrets for the redactor', () => {
    const { config } = parseControllerConfig(
      input(`${least}  credentials: {file: /run/token}
api:
  tokens:
    - {name: ada, right: admin, file: /run/api}
    - {name: ci, file: /run/api-hash}
webhooks:
  default:
    secrets: [{file: /run/hook}]
    repositories: [https://forge.example/fleet]
`),
    );
    expect(config.repository.credentials).toEqual({
      username: 'varve',
      password: 'forge-token',
      passwordFile: '/run/token',
    });
    expect(config.api.tokens).toEqual([
      { name: 'ada', right: 'admin', sha256: createHash('sha256').update('api-token').digest('hex') },
      { name: 'ci', right: 'read', sha256: 'a'.repeat(64) },
    ]);
    expect(config.webhooks).toEqual([
      {
        id: 'default',
        secrets: ['hook-secret'],
        repositories: ['https://forge.example/fleet', 'https://forge.example/fleet.git'],
        ref: 'main',
      },
    ]);
    expect(config.secrets).toEqual(expect.arrayContaining(['forge-token', 'hook-secret', 'api-token']));
  });

  test('from the environment stands above the file', () => {
    const { config } = parseControllerConfig(
      input(`${least}  pollIntervalSeconds: 30\nredis: {url: "redis://elsewhere:6379"}\n`, {
        VARVE_REPOSITORY_URL: 'https://git.example/fleet.git',
        VARVE_POLL_INTERVAL_SECONDS: '0.5',
        VARVE_REDIS_SOCKET: '/run/redis.sock',
        VARVE_REPOSITORY_TOKEN: 'from-env',
        VARVE_WEBHOOK_SECRET: 'hook',
        VARVE_API_TOKEN: 'api',
        VARVE_INTERNAL_TOKEN: 'internal',
        VARVE_HOST_NAMES: 'a.example, b.example',
      }),
    );
    expect(config.repository).toMatchObject({ url: 'https://git.example/fleet.git', pollIntervalMs: 500 });
    expect(config.repository.credentials?.password).toBe('from-env');
    expect(config.redis).toEqual({ kind: 'socket', path: '/run/redis.sock', password: undefined });
    expect(config.webhooks).toMatchObject([{ id: 'default', secrets: ['hook'] }]);
    expect(config.api.tokens).toHaveLength(1);
    expect(config.internalToken).toEqual({ kind: 'given', token: 'internal' });
    expect(config.hostNames).toEqual(['a.example', 'b.example']);
  });

  test('needs no file', () => {
    const { config } = parseControllerConfig(
      input(undefined, { VARVE_REPOSITORY_URL: 'git@forge.example:fleet.git' }),
    );
    expect(config.repository.url).toBe('git@forge.example:fleet.git');
  });

  test.each([
    [
      'an unknown key',
      `${least}  pollIntervalSecond: 5\n`,
      ['service.yaml:3:3: repository.pollIntervalSecond: unknown key; did you mean `pollIntervalSeconds`?'],
    ],
    [
      'an unknown key at the top',
      `${least}redi: {}\n`,
      ['service.yaml:3:1: redi: unknown key; did you mean `redis`?'],
    ],
    [
      'a wrong type',
      `${least}listen:\n  port: lots\n`,
      [expect.stringMatching(/^service\.yaml:4:3: listen\.port: /)],
    ],
    ['no repository', 'dataDir: /srv/varve\n', [expect.stringMatching(/which repository/)]],
    ['a list at the top', '- x\n', [expect.stringMatching(/mapping of keys/)]],
    ['YAML that is none', 'repository: [\n', [expect.stringMatching(/^service\.yaml:\d+:\d+: /)]],
    [
      'a secret that is not there',
      `${least}  credentials: {file: /run/gone}\n`,
      ['service.yaml:3:17: repository.credentials.file: /run/gone: ENOENT'],
    ],
    [
      'an empty secret',
      `${least}  credentials: {file: /run/empty}\n`,
      [expect.stringMatching(/\/run\/empty is empty/)],
    ],
    [
      'a variable that is not set',
      `${least}  credentials: {env: NOT_SET}\n`,
      [expect.stringMatching(/the variable NOT_SET is not set/)],
    ],
    [
      'a token for an address that takes none',
      'repository:\n  url: git@forge.example:fleet.git\n  credentials: {file: /run/token}\n',
      [expect.stringMatching(/are for http\(s\) addresses/)],
    ],
    [
      'both file and variable',
      `${least}  credentials: {file: /run/token, env: X}\n`,
      [expect.stringMatching(/either `file` or `env`/)],
    ],
    [
      'two ways to Redis',
      `${least}redis: {url: "redis://x:1", socket: /y}\n`,
      [expect.stringMatching(/either `url` or `socket`/)],
    ],
  ])('with %s is refused with its place', (_what, text, expected) => {
    expect(complaints(text)).toEqual(expected);
  });

  test.each([
    'https://user:password@forge.example/fleet.git',
    'https://token@forge.example/fleet.git',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c x',
    '-oProxyCommand=x@host:path',
    'git@forge.example:-oProxyCommand=x',
    'fleet.git',
    '',
  ])('a repository at %j is refused', (url) => {
    expect(complaints(`repository: {url: ${JSON.stringify(url)}}\n`)).toHaveLength(1);
  });

  test.each(['--option', '-x', 'a..b', 'main lock', 'x.lock', 'a//b', 'a/', 'a@{1}', 'a\nb', ''])(
    'a ref of %j is refused',
    (ref) => {
      expect(complaints(`repository: {url: /srv/x, ref: ${JSON.stringify(ref)}}\n`)).toHaveLength(1);
    },
  );

  test('a variable with a wrong value is named', () => {
    expect(complaints(least, { VARVE_LISTEN_PORT: 'http' })).toEqual([
      expect.stringMatching(/^VARVE_LISTEN_PORT: /),
    ]);
  });

  test('a variable that means nothing is a warning, since others set such too', () => {
    const { warnings } = parseControllerConfig(
      input(least, { VARVE_SERVICE_HOST: '10.0.0.1', VARVE_LOG_LEVL: 'debug' }),
    );
    expect(warnings).toEqual([
      'VARVE_SERVICE_HOST in the environment means nothing',
      'VARVE_LOG_LEVL in the environment means nothing; did you mean VARVE_LOG_LEVEL?',
    ]);
  });

  test('that listens beyond this machine without a token is a warning', () => {
    const { warnings } = parseControllerConfig(input(`${least}listen: {address: 0.0.0.0}\n`));
    expect(warnings).toEqual([expect.stringMatching(/no API tokens/)]);
  });
});

describe('the configuration of a worker', () => {
  test('has the commands that checks may name', () => {
    const { config } = parseWorkerConfig(
      input(
        `${least}worker:\n  commands:\n    is-drained: { argv: [/bin/drained, --now], timeoutSeconds: 5 }\n    plain: { argv: [id] }\n`,
      ),
    );
    expect([...config.commands]).toEqual([
      ['is-drained', { argv: ['/bin/drained', '--now'], timeoutMs: 5_000 }],
      ['plain', { argv: ['id'], timeoutMs: 60_000 }],
    ]);
    for (const bad of ['{ argv: [] }', '{ argv: id }', '{ argv: [""] }', '{}']) {
      expect(() => parseWorkerConfig(input(`${least}worker: { commands: { a: ${bad} } }\n`))).toThrow(
        /worker\.commands\.a/,
      );
    }
  });

  test('has defaults for everything', () => {
    const { config } = parseWorkerConfig(input(undefined));
    expect(config).toMatchObject({
      controllerUrl: 'http://127.0.0.1:7420',
      identities: [],
      knownHosts: undefined,
      concurrency: { evaluate: 1, deliver: 4, activate: 32, probe: 16 },
      evaluation: { timeoutMs: 1_800_000, memoryMiB: undefined },
      push: { archivesMiB: 10_240, signingKey: undefined },
      nixSettings: {},
    });
  });

  test('serves closures where it is told, and only signed ones', () => {
    const cache = '  cache: { listen: { address: 10.0.0.5 } }\n';
    const { config } = parseWorkerConfig(input(`worker:\n  push: { signingKey: /key }\n${cache}`));
    expect(config.cache.listen).toEqual({ address: '10.0.0.5', port: 7_421 });
    expect(parseWorkerConfig(input(undefined)).config.cache.listen).toBeUndefined();
    expect(() => parseWorkerConfig(input(`worker:\n${cache}`))).toThrow(
      /worker\.cache\.listen: .*worker\.push\.signingKey.*varve keygen/,
    );
  });

  const publishing = (publish: string, env: Readonly<Record<string, string>> = {}) =>
    parseWorkerConfig(input(`worker:\n  push: { signingKey: /key }\n  cache: { publish: ${publish} }\n`, env))
      .config;

  test.each([
    ['{ url: file:///srv/cache }', { kind: 'folder', folder: '/srv/cache' }],
    [
      '{ url: https://cache.example/a/ }',
      { kind: 'http', url: 'https://cache.example/a', credentials: undefined },
    ],
    [
      '{ url: http://cache.example, credentials: { file: /run/token } }',
      {
        kind: 'http',
        url: 'http://cache.example',
        credentials: { username: 'varve', password: 'forge-token' },
      },
    ],
    [
      '{ url: "s3://closures?region=eu-central-1" }',
      { kind: 's3', url: 'https://closures.s3.eu-central-1.amazonaws.com', region: 'eu-central-1' },
    ],
    [
      '{ url: "s3://closures?endpoint=minio.example:9000&scheme=http" }',
      { kind: 's3', url: 'http://minio.example:9000/closures', region: 'us-east-1' },
    ],
  ])('publishes to %s', (text, publish) => {
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };
    expect(publishing(text, env).cache.publish).toMatchObject(publish);
  });

  test('has the keys of a bucket from the usual variables, and blanks them', () => {
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };
    const { cache, secrets } = publishing('{ url: s3://closures }', env);
    expect(cache.publish).toMatchObject({
      keys: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
    });
    expect(secrets).toEqual(expect.arrayContaining(['secret', 'token']));
    expect(() => publishing('{ url: s3://closures }')).toThrow(/AWS_ACCESS_KEY_ID is not set/);
  });

  test.each([
    ['nonsense', /not a URL/],
    ['ftp://cache.example', /use file, http, https or s3/],
    ['https://me:secret@cache.example', /credentials do not belong into the URL/],
    ['https://cache.example?x=1', /no `\?`/],
    ['s3://closures/folder', /without a folder/],
    ['s3://closures?profile=me', /no `profile`/],
    ['s3://closures?region=a/b', /region/],
    ['s3://closures?endpoint=http://minio', /endpoint/],
    ['file://host/folder', /file:\/\/\/folder/],
  ])('does not publish to %s', (url, why) => {
    expect(() => publishing(`{ url: "${url}" }`)).toThrow(why);
  });

  test('publishes only what is signed, and has passwords only for servers', () => {
    expect(() => parseWorkerConfig(input('worker: { cache: { publish: { url: file:///c } } }'))).toThrow(
      /worker\.cache\.publish: .*signingKey/,
    );
    expect(() => publishing('{ url: file:///c, credentials: { file: /run/token } }')).toThrow(
      /are for http\(s\)/,
    );
  });

  test('comes from the same file as the controller’s', () => {
    const { config } = parseWorkerConfig(
      input(
        `${least}listen: {address: "0.0.0.0", port: 9000}\nworker:\n  identities: [/etc/varve/key]\n  nix: {settings: {max-jobs: "4"}}\n`,
      ),
    );
    expect(config).toMatchObject({
      controllerUrl: 'http://127.0.0.1:9000',
      identities: ['/etc/varve/key'],
      nixSettings: { 'max-jobs': '4' },
    });
  });

  test('takes several identities from one variable', () => {
    expect(parseWorkerConfig(input(undefined, { VARVE_IDENTITIES: '/a,/b' })).config.identities).toEqual([
      '/a',
      '/b',
    ]);
  });
});

test('a program on this machine knows where another one listens', () => {
  expect(ownUrl({ address: '127.0.0.1', port: 1 })).toBe('http://127.0.0.1:1');
  expect(ownUrl({ address: '::1', port: 1 })).toBe('http://[::1]:1');
  expect(ownUrl({ address: '::', port: 1 })).toBe('http://127.0.0.1:1');
});
