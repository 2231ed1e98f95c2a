import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource, type SourceSettings } from '../../../controller/source/create-source.ts';
import type { OpenSource } from '../../../controller/source/mirror-source.ts';
import { parseRevision } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger, type Logger } from '../../../shared/platform/logger.ts';
import { createConfigRepository } from '../../support/config-repository.ts';
import type { ConfigRepository } from '../../support/config-repository.ts';
import { createGitHttpServer } from '../../support/git-http-server.ts';
import type { GitHttpServer } from '../../support/git-http-server.ts';

const git = createGitProgram({ run: createRun() });
const flake = { 'flake.nix': '{ }', 'varve.yaml': 'hosts: { web1: {} }\n' };

let folder: string;
let repository: ConfigRepository;
let server: GitHttpServer;
let opened: OpenSource[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-limits-'));
  repository = await createConfigRepository(join(folder, 'fleet.git'));
  server = await createGitHttpServer(folder);
  opened = [];
});

afterEach(async () => {
  for (const source of opened) await source.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function open(
  maxResponseBytes: number,
  adapter: SourceSettings['adapter'] = 'isomorphic',
  logger: Logger = silentLogger,
): OpenSource {
  const { source } = createSource(
    {
      url: server.url('fleet.git'),
      ref: 'main',
      adapter,
      dataFolder: join(folder, 'data'),
      maxResponseBytes,
    },
    { git, logger, credential: async () => undefined },
  );
  opened.push(source);
  return source;
}

describe('the limits of isomorphic-git', () => {
  it('end a fetch that is too large, with what to do instead', async () => {
    await repository.commit({ files: { ...flake, blob: { bytes: randomBytes(300_000) } } });
    expect(await open(100_000).look(undefined)).toMatchObject({
      kind: 'failing',
      failure: { code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('adapter `git`') },
    });
    expect(await open(1_000_000).look(undefined)).toMatchObject({ kind: 'seen' });
  });

  it('give way to the Git program where the adapter was not chosen, and stay given up', async () => {
    await repository.commit({ files: { ...flake, blob: { bytes: randomBytes(300_000) } } });
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_fields, message) => void warned.push(message) };
    const source = open(100_000, 'auto', logger);
    expect(await source.look(undefined)).toMatchObject({ kind: 'seen' });
    const next = await repository.commit({ files: { blob: { bytes: randomBytes(300_000) } } });
    expect(await source.look(undefined)).toMatchObject({ kind: 'seen', revision: next });
    expect(warned).toEqual(['falling back to the git program']);
  });

  it('let it take only the newest commits of a history that is too large', async () => {
    // 0 (large) ← 1 … 58 (large) ← 59 … 118; the first look brings 69 … 118.
    const commits = await repository.history(
      Array.from({ length: 119 }, (_, n) => {
        const large = n === 0 || n === 58;
        return { ...flake, blob: large ? { bytes: randomBytes(300_000) } : `${n}`, n: `${n}` };
      }),
    );
    const source = open(200_000);
    const newest = commits[118];
    const older = commits[57];
    if (newest === undefined || older === undefined) throw new Error('no commits');
    expect(await source.look(undefined)).toMatchObject({ revision: newest });
    // Back to below where the history at hand ends: all that is older would be more than is taken.
    await repository.point('main', older);
    // How the two are related is beyond that limit as well, and is no reason not to follow.
    expect(await source.look(newest)).toMatchObject({ kind: 'seen', revision: older, descends: false });
  });

  it('do not let packs pile up in the mirror, and everything that was seen stays readable', async () => {
    const source = open(1_000_000);
    const first = await repository.commit({ files: { ...flake, n: 'first' } });
    for (let n = 0; n < 42; n += 1) {
      await repository.commit({ files: { n: `${n}` } });
      expect(await source.look(undefined)).toMatchObject({ kind: 'seen' });
      if (n === 0) expect(await source.look(first)).toMatchObject({ descends: true });
    }
    const mirrors = join(folder, 'data', 'mirrors');
    const [mirror] = await readdir(mirrors);
    const packs = (await readdir(join(mirrors, mirror ?? '', 'objects', 'pack'))).filter((name) =>
      name.endsWith('.pack'),
    );
    expect(packs.length).toBeLessThan(10);
    for (const revision of (await repository.git('rev-list', '-n', '42', 'main')).split('\n')) {
      expect(await source.manifest(parseRevision(revision))).toMatchObject({ kind: 'fleet' });
    }
  });
});
