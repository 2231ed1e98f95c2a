import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource } from '../../../controller/source/create-source.ts';
import type { OpenSource } from '../../../controller/source/mirror-source.ts';
import type { Revision } from '../../../shared/domain/names.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger } from '../../../shared/platform/logger.ts';
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

function open(maxResponseBytes: number): OpenSource {
  const { source } = createSource(
    {
      url: server.url('fleet.git'),
      ref: 'main',
      adapter: 'isomorphic',
      dataFolder: join(folder, 'data'),
      maxResponseBytes,
    },
    { git, logger: silentLogger, credential: async () => undefined },
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

  it('let it take only the newest commits of a history that is too large', async () => {
    // 0 (large) ← 1 … 58 (large) ← 59 … 118; the first look brings 69 … 118.
    const commits: Revision[] = [];
    for (let n = 0; n < 119; n += 1) {
      const large = n === 0 || n === 58;
      const blob = large ? { bytes: randomBytes(300_000) } : `${n}`;
      commits.push(await repository.commit({ files: { ...flake, blob, n: `${n}` } }));
    }
    const source = open(200_000);
    const newest = commits[118];
    const older = commits[57];
    if (newest === undefined || older === undefined) throw new Error('no commits');
    expect(await source.look(undefined)).toMatchObject({ revision: newest });
    // Back to below where the history at hand ends: all that is older would be more than is taken.
    await repository.point('main', older);
    expect(await source.look(undefined)).toMatchObject({ kind: 'seen', revision: older });
  });
});
