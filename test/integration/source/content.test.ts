import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSource } from '../../../controller/source/create-source.ts';
import type { OpenSource } from '../../../controller/source/mirror-source.ts';
import { createRun } from '../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../shared/platform/git-program.ts';
import { silentLogger } from '../../../shared/platform/logger.ts';
import type { Manifest } from '../../../shared/platform/ports/source.ts';
import { createConfigRepository } from '../../support/config-repository.ts';
import type { ConfigRepository, WrittenFile } from '../../support/config-repository.ts';

const git = createGitProgram({ run: createRun() });
const flake = { 'flake.nix': '{ outputs = _: { }; }\n', 'varve.yaml': 'hosts: { web1: {} }\n' };
const lfs = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;

let folder: string;
let repository: ConfigRepository;
let source: OpenSource;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-content-'));
  repository = await createConfigRepository(join(folder, 'fleet.git'));
  ({ source } = createSource(
    { url: repository.folder, ref: 'main', adapter: 'auto', dataFolder: join(folder, 'data') },
    { git, logger: silentLogger, credential: async () => undefined },
  ));
});

afterEach(async () => {
  await source.close();
  await rm(folder, { recursive: true, force: true });
});

async function manifestNow(): Promise<Manifest> {
  const look = await source.look(undefined);
  if (look.kind === 'failing') throw new Error(look.failure.message);
  return source.manifest(look.revision);
}

async function manifestOf(files: Record<string, WrittenFile | undefined>): Promise<Manifest> {
  await repository.commit({ files: { ...flake, ...files } });
  return manifestNow();
}

/** A commit whose top has one more entry under a name that Git's own tools would not write. */
async function commitRaw(name: string): Promise<void> {
  const head = await repository.commit({ files: flake });
  const blob = await repository.git('rev-parse', `${head}:flake.nix`);
  await commitWith(head, `100644 blob ${blob}\t${name}\0`);
}

async function makeTree(listing: string): Promise<string> {
  return git.ok([`--git-dir=${repository.folder}`, 'mktree', '-z'], { input: listing });
}

/** A commit whose top has the entry in addition to those of `head`. */
async function commitWith(head: string, entry: string): Promise<void> {
  const made = await makeTree(`${await repository.git('ls-tree', '-z', head)}${entry}`);
  const identity = {
    GIT_AUTHOR_NAME: 'x',
    GIT_AUTHOR_EMAIL: 'x',
    GIT_COMMITTER_NAME: 'x',
    GIT_COMMITTER_EMAIL: 'x',
  };
  const commit = await git.ok([`--git-dir=${repository.folder}`, 'commit-tree', made], {
    input: 'x',
    env: identity,
  });
  await repository.point('main', commit);
}

describe('what is in a tree', () => {
  it.each<[string, string, WrittenFile, string]>([
    ['a submodule', 'sub/module', { mode: '160000', commit: '1'.repeat(40) }, 'is a submodule'],
    ['a Git LFS pointer', 'größe/bild.png', lfs, 'is a Git LFS pointer'],
    [
      'a small encrypted blob',
      'key.txt',
      { bytes: Buffer.from('\0GITCRYPT\0secret', 'latin1') },
      'is encrypted with git-crypt',
    ],
    [
      'a link out of the tree',
      'a/link',
      { mode: '120000', text: '../../outside' },
      'is a link that leaves the repository',
    ],
    [
      'an absolute link',
      'link',
      { mode: '120000', text: '/etc/passwd' },
      'is a link that leaves the repository',
    ],
    ['a newline in a path', 'a\nb', 'x', 'has an unsafe path'],
  ])('refuses %s, with its path', async (_, path, file, message) => {
    const manifest = await manifestOf({ [path]: file });
    expect(manifest).toMatchObject({
      kind: 'invalid',
      failure: { code: 'UNSUPPORTED_CONTENT', disposition: 'stalled' },
    });
    if (manifest.kind === 'fleet') return;
    expect(manifest.failure.message).toContain(message);
    expect(manifest.failure.details?.['path']).toBe(path.replace('\n', '?'));
    expect(manifest.failure.hint).toBeTruthy();
  });

  it.each(['..', '.', '.git', '.GIT'])('refuses a file named %s', async (name) => {
    await commitRaw(name);
    expect(await manifestNow()).toMatchObject({ kind: 'invalid', failure: { code: 'UNSUPPORTED_CONTENT' } });
  });

  it('refuses a large encrypted blob where the attributes say that some are encrypted', async () => {
    const bytes = Buffer.concat([Buffer.from('\0GITCRYPT\0', 'latin1'), Buffer.alloc(100_000, 7)]);
    expect(
      await manifestOf({ '.gitattributes': 'secrets/* filter=git-crypt\n', 'secrets/x': { bytes } }),
    ).toMatchObject({
      failure: { code: 'UNSUPPORTED_CONTENT', details: { path: 'secrets/x' } },
    });
  });

  it('takes options, spaces, other scripts, links inside and files that speak of LFS as they are', async () => {
    const manifest = await manifestOf({
      '--option': 'x',
      'with space/größe/日本語.nix': 'x',
      'a/link': { mode: '120000', text: '../flake.nix' },
      'run.sh': { mode: '100755', text: '#!/bin/sh\n' },
      'docs.md': `We do not use LFS. A pointer begins so:\n${lfs}`,
      'large.bin': { bytes: Buffer.alloc(3_000_000, 1) },
    });
    expect(manifest).toMatchObject({ kind: 'fleet' });
  });

  it('is valid again once the bad file is gone', async () => {
    expect(await manifestOf({ sub: { mode: '160000', commit: '1'.repeat(40) } })).toMatchObject({
      kind: 'invalid',
    });
    expect(await manifestOf({ sub: undefined })).toMatchObject({ kind: 'fleet' });
  });

  it('needs a flake.nix in the configured folder', async () => {
    expect(await manifestOf({ 'flake.nix': undefined })).toMatchObject({
      failure: { code: 'MANIFEST_INVALID', message: 'there is no flake.nix' },
    });
    const inFolder = { 'varve.yaml': 'flake: { folder: ./nix/ }\nhosts: { web1: {} }\n' };
    expect(await manifestOf(inFolder)).toMatchObject({ failure: { message: 'there is no nix/flake.nix' } });
    expect(await manifestOf({ ...inFolder, 'nix/flake.nix': '{ }' })).toMatchObject({
      fleet: { flake: { folder: 'nix' } },
    });
  });

  it('needs varve.yaml to be a regular, small, UTF-8 file of that very name', async () => {
    const cases: [WrittenFile, string][] = [
      [{ mode: '120000', text: 'flake.nix' }, 'not a regular file'],
      [{ bytes: Buffer.from([0x68, 0xff, 0xfe]) }, 'not UTF-8'],
      [`# ${'x'.repeat(1_048_576)}\nhosts: { web1: {} }\n`, 'larger than 1 MiB'],
    ];
    for (const [file, message] of cases) {
      const manifest = await manifestOf({ 'varve.yaml': file });
      expect(manifest.kind === 'invalid' && manifest.failure.message).toContain(message);
    }
    expect(await manifestOf({ 'varve.yaml': undefined, 'varve.yml': 'hosts: {}' })).toMatchObject({
      failure: { code: 'MANIFEST_INVALID', hint: 'rename it to varve.yaml' },
    });
  });

  it('blocks a revision without any host', async () => {
    expect(await manifestOf({ 'varve.yaml': 'hosts: {}\n' })).toMatchObject({
      failure: { code: 'NO_HOSTS' },
    });
  });

  it('is refused when a few trees stand for more files than anybody reads', async () => {
    const head = await repository.commit({ files: flake });
    const blob = await repository.git('rev-parse', `${head}:flake.nix`);
    const names = Array.from({ length: 100 }, (_, i) => `${i}-${'x'.repeat(60)}`);
    let tree = await makeTree(names.map((name) => `100644 blob ${blob}\t${name}\0`).join(''));
    for (const _ of [1, 2]) {
      const inner = tree;
      tree = await makeTree(names.map((name) => `040000 tree ${inner}\t${name}\0`).join(''));
    }
    await commitWith(head, `040000 tree ${tree}\tbomb\0`);
    expect(await manifestNow()).toMatchObject({
      kind: 'invalid',
      failure: { code: 'UNSUPPORTED_CONTENT', disposition: 'stalled' },
    });
  });
});
