import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource } from '../../../controller/source/create-source.ts';
import type { Look } from '../../../shared/platform/ports/source.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger } from '../../../shared/platform/logger.ts';
import { createConfigRepository } from '../../support/config-repository.ts';

const git = createGitProgram({ run: createRun() });

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-local-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function look(url: string): Promise<Look> {
  const { source } = createSource(
    { url, ref: 'main', adapter: 'auto', dataFolder: join(folder, `data ${url.length}`) },
    { git, logger: silentLogger, credential: async () => undefined },
  );
  return source.look(undefined);
}

describe('a repository in a folder', () => {
  it('is followed though it belongs to somebody else, bare or with a working copy, by path, link or file://', async () => {
    const repository = await createConfigRepository(join(folder, 'a.b [c]', '.git'));
    const revision = await repository.commit({ files: { 'flake.nix': '{ }' } });
    const path = join(folder, 'a.b [c]');
    await symlink(path, join(folder, 'link'));
    // Only root can give it away; for others it is their own, and has to work all the same.
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'nobody', path]);
    const plain = join(folder, 'link');
    for (const url of [plain, `${plain}/.git`, `file://${plain}`]) {
      expect(await look(url)).toMatchObject({ kind: 'seen', revision });
    }
  });
});
