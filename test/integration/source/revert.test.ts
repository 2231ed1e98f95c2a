import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource } from '../../../controller/source/create-source.ts';
import type { Reverted, Reverter } from '../../../controller/source/revert.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger } from '../../../shared/platform/logger.ts';
import { createConfigRepository } from '../../support/config-repository.ts';
import type { ConfigRepository } from '../../support/config-repository.ts';

const git = createGitProgram({ run: createRun() });
const at = 1_800_000_000_000;

let folder: string;
let repository: ConfigRepository;
let reverter: Reverter;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-revert-'));
  repository = await createConfigRepository(join(folder, 'fleet.git'));
  ({ reverter } = createSource(
    { url: repository.folder, ref: 'main', adapter: 'auto', dataFolder: join(folder, 'data') },
    { git, logger: silentLogger, credential: async () => undefined },
  ));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function revert(revision: string, actor = 'ann'): Promise<Reverted> {
  return reverter.revert({ revision, actor, at });
}

async function writeHook(name: string, script: string): Promise<void> {
  const path = join(folder, 'fleet.git', 'hooks', name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

const lines = (...changed: string[]): string => ['1', '2', '3', '4', '5', '6', '7', ...changed].join('\n');

describe('a revert', () => {
  it('of the newest commit brings back the very tree of before', async () => {
    const a = await repository.commit({ files: { f: 'a' } });
    const b = await repository.commit({ files: { f: 'b', g: 'new' }, subject: 'change f' });
    const done = await revert(b);
    expect(done).toMatchObject({ reverted: b, subject: 'Revert "change f"' });
    expect(await repository.head()).toBe(done.revision);
    expect(await repository.tree(done.revision)).toBe(await repository.tree(a));
    expect(await repository.git('rev-parse', `${done.revision}^`)).toBe(b);
    expect(await repository.git('log', '-1', '--format=%an|%cn|%at|%B', done.revision)).toBe(
      `ann (by Varve)|Varve|1800000000|Revert "change f"\n\nThis reverts commit ${b}.\n\nAsked for by ann.`,
    );
  });

  it('of an older commit keeps what came after it', async () => {
    await repository.commit({ files: { f: lines(), g: '1' } });
    const b = await repository.commit({ files: { f: lines('8') } });
    await repository.commit({ files: { f: `0\n${lines('8')}`, g: '2' } });
    const { revision } = await revert(b.slice(0, 10));
    expect(await repository.file(revision, 'f')).toBe(`0\n${lines()}`);
    expect(await repository.file(revision, 'g')).toBe('2');
  });

  it('of a merge takes back what the merge brought', async () => {
    const a = await repository.commit({ files: { f: 'a' } });
    const side = await repository.commit({ branch: 'side', files: { g: 'side' }, parents: [a] });
    const main = await repository.commit({ files: { h: 'main' } });
    const merge = await repository.commit({ files: { g: 'side' }, parents: [main, side] });
    const { revision } = await revert(merge);
    expect(await repository.tree(revision)).toBe(await repository.tree(main));
  });

  it('of a revert brings the change again', async () => {
    await repository.commit({ files: { f: 'a' } });
    const b = await repository.commit({ files: { f: 'b' } });
    const first = await revert(b);
    const second = await revert(first.revision);
    expect(await repository.tree(second.revision)).toBe(await repository.tree(b));
  });

  it('that conflicts names the files and pushes nothing', async () => {
    await repository.commit({ files: { f: 'a', 'größe.nix': 'a' } });
    const b = await repository.commit({ files: { f: 'b', 'größe.nix': 'b' } });
    const c = await repository.commit({ files: { f: 'c', 'größe.nix': 'c' } });
    await expect(revert(b)).rejects.toMatchObject({
      code: 'CONFLICT',
      disposition: 'stalled',
      details: { files: 'f\ngröße.nix' },
    });
    expect(await repository.head()).toBe(c);
  });

  it('that would change nothing is refused', async () => {
    await repository.commit({ files: { f: 'a' } });
    const b = await repository.commit({ files: { f: 'b' } });
    await revert(b);
    await expect(revert(b)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('of the first commit, of another branch, of nothing and of an option is refused', async () => {
    const a = await repository.commit({ files: { f: 'a' } });
    const side = await repository.commit({ branch: 'side', files: { g: 's' }, parents: [a] });
    await expect(revert(a)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(revert(side)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(revert('0'.repeat(40))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const text of ['--all', 'main', 'HEAD', a.slice(0, 6), `${a}~1`, '']) {
      await expect(revert(text)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('is made again on top of a push that came between', async () => {
    await repository.commit({ files: { f: 'a' } });
    const b = await repository.commit({ files: { f: 'b' } });
    const c = await repository.commit({ branch: 'side', files: { g: 'c' }, parents: [b] });
    // The first push finds the branch moved: the hook is the other person.
    await writeHook(
      'pre-receive',
      `cd "$(dirname "$0")/.." && test -e moved && exit 0
       touch moved
       env -u GIT_QUARANTINE_PATH git --git-dir=. update-ref refs/heads/main ${c}`,
    );
    const { revision } = await revert(b);
    expect(await repository.git('rev-parse', `${revision}^`)).toBe(c);
    expect(await repository.file(revision, 'f')).toBe('a');
    expect(await repository.file(revision, 'g')).toBe('c');
  });

  it('that the repository does not take says why', async () => {
    await repository.commit({ files: { f: 'a' } });
    const b = await repository.commit({ files: { f: 'b' } });
    await writeHook('pre-receive', 'exit 1');
    await expect(revert(b)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining('protected'),
    });
    expect(await repository.head()).toBe(b);
  });

  it('carries the name of who asked, harmlessly', async () => {
    await repository.commit({ files: { f: 'a' } });
    const b = await repository.commit({ files: { f: 'b' } });
    const { revision } = await revert(b, 'eve <x@y>\n\nSigned-off-by: ann');
    const body = await repository.git('log', '-1', '--format=%an%n%b', revision);
    expect(body).toContain('Asked for by eve x@y Signed-off-by: ann.');
    expect(body.split('\n').filter((line) => line.startsWith('Signed-off-by'))).toEqual([]);
  });
});
