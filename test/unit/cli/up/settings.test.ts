import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { upSettings, type UpOptions } from '../../../../cli/up/settings.ts';
import { parseControllerConfig } from '../../../../shared/contracts/service-config.ts';
import { serviceConfigInput } from '../../../../shared/platform/service.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-settings-'));
});
afterAll(() => rm(folder, { recursive: true }));

const nothing: UpOptions = {
  repo: undefined,
  ref: undefined,
  data: undefined,
  listen: undefined,
  identities: [],
  knownHosts: undefined,
  redis: undefined,
  config: undefined,
};

async function file(name: string, content: object): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(content));
  return path;
}

/** What the controller makes of what it is told. */
function controllerOf(options: UpOptions, env: Readonly<Record<string, string>> = {}) {
  const settings = upSettings(options, env, 0);
  const { config } = parseControllerConfig(serviceConfigInput([], settings.env));
  return { settings, config };
}

const whole = {
  repository: { url: '/srv/file.git', ref: 'production' },
  dataDir: '/srv/of-the-file',
  listen: { address: '127.0.0.2', port: 7001 },
  redis: { socket: '/run/file.sock' },
  internalToken: { file: '/run/token' },
};

describe('what varve up goes by', () => {
  test('is the file, where nothing else is said', async () => {
    const { settings, config } = controllerOf({ ...nothing, config: await file('a.yaml', whole) });
    expect(settings).toMatchObject({
      example: false,
      ownRedis: false,
      folder: '/srv/of-the-file',
      listen: { address: '127.0.0.2', port: 7001 },
    });
    expect(config).toMatchObject({
      repository: { url: '/srv/file.git', ref: 'production' },
      dataDir: '/srv/of-the-file',
      listen: { address: '127.0.0.2', port: 7001 },
      redis: { kind: 'socket', path: '/run/file.sock' },
      internalToken: { kind: 'file', path: '/run/token' },
    });
  });

  test('is the environment above the file, and an option above both', async () => {
    const config = await file('b.yaml', whole);
    const env = {
      VARVE_CONFIG: config,
      VARVE_DATA_DIR: '/srv/of-the-environment',
      VARVE_LISTEN_PORT: '7002',
      VARVE_REPOSITORY_REF: 'staging',
      VARVE_REDIS_URL: 'redis://environment',
    };
    const below = controllerOf(nothing, env);
    expect(below.settings).toMatchObject({
      folder: '/srv/of-the-environment',
      listen: { address: '127.0.0.2', port: 7002 },
      ownRedis: false,
    });
    expect(below.config.redis).toMatchObject({ kind: 'url', url: 'redis://environment' });
    const above = controllerOf(
      {
        ...nothing,
        ref: 'next',
        data: '/srv/of-the-option',
        listen: { address: '::1', port: 7003 },
        redis: 'redis://option',
      },
      { ...env, VARVE_REDIS_SOCKET: '/run/environment.sock' },
    );
    expect(above.settings).toMatchObject({
      folder: '/srv/of-the-option',
      listen: { address: '::1', port: 7003 },
      ownRedis: false,
    });
    expect(above.config).toMatchObject({
      repository: { url: '/srv/file.git', ref: 'next' },
      dataDir: '/srv/of-the-option',
      redis: { kind: 'url', url: 'redis://option' },
    });
  });

  test('is the default where nobody says anything: a private Redis, and the folder of who runs it', () => {
    const options = { ...nothing, repo: '/srv/git/fleet.git' };
    expect(controllerOf(options).settings).toMatchObject({
      example: false,
      ownRedis: true,
      folder: '/var/lib/varve',
      listen: { address: '127.0.0.1', port: 7420 },
    });
    expect(upSettings(options, { XDG_STATE_HOME: '/home/ada/state' }, 1000).folder).toBe(
      '/home/ada/state/varve',
    );
  });

  test('is the example where no repository is named, in a folder of its own', () => {
    expect(upSettings(nothing, {}, 0)).toMatchObject({ example: true, folder: '/var/lib/varve-example' });
    expect(upSettings(nothing, { VARVE_REPOSITORY_URL: '/srv/x.git' }, 0).example).toBe(false);
  });

  test('is refused where a file names no repository, and no option does', async () => {
    const config = await file('c.yaml', { fleet: 'lab' });
    expect(() => upSettings({ ...nothing, config }, {}, 0)).toThrow(/which repository is to be watched/);
    expect(upSettings({ ...nothing, config, repo: '/srv/x.git' }, {}, 0).example).toBe(false);
  });

  test('has the variables that the file names for its secrets, and no others', async () => {
    const config = await file('d.yaml', {
      ...whole,
      api: { tokens: [{ name: 'ada', right: 'admin', env: 'ADMIN_TOKEN' }] },
      webhooks: { default: { secrets: [{ env: 'HOOK_SECRET' }] } },
    });
    const outer = { ADMIN_TOKEN: 'x', HOOK_SECRET: 'y', SECRET_OF_OTHERS: 'z' };
    const { env } = upSettings({ ...nothing, config }, outer, 0);
    expect(env).toMatchObject({ ADMIN_TOKEN: 'x', HOOK_SECRET: 'y' });
    expect(env).not.toHaveProperty('SECRET_OF_OTHERS');
    expect(() => upSettings({ ...nothing, config }, { ADMIN_TOKEN: 'x' }, 0)).toThrow(
      /the variable HOOK_SECRET is not set/,
    );
  });

  test('is refused where nobody would know the port', () => {
    const listen = { address: '127.0.0.1', port: 0 };
    expect(() => upSettings({ ...nothing, listen }, {}, 0)).toThrow(/port 0/);
  });

  test('takes a repository by the path that somebody types', () => {
    expect(upSettings({ ...nothing, repo: './fleet' }, {}, 0).env['VARVE_REPOSITORY_URL']).toBe(
      join(process.cwd(), 'fleet'),
    );
  });
});
