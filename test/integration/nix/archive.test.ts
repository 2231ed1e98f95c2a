import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { archiveOf } from '../../../worker/nix/nar.ts';
import { anyTree, writeTree } from '../../support/any-tree.ts';

let folder: string;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-archive-'));
});
// Node cannot remove names that are no UTF-8.
afterAll(() => void execFileSync('rm', ['-rf', folder]));

function newPath(): string {
  made += 1;
  return join(folder, `${made}`);
}

async function expectSameAsNix(path: string): Promise<void> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveOf(path)) pieces.push(piece);
  const dumped = execFileSync('nix-store', ['--dump', path], { maxBuffer: 64 * 1024 * 1024 });
  expect(Buffer.concat(pieces).equals(dumped)).toBe(true);
}

describe('an archive is, byte for byte, the one that `nix-store --dump` makes', () => {
  it('of a tree with every kind of entry', async () => {
    const path = newPath();
    await mkdir(join(path, 'empty'), { recursive: true });
    await writeFile(join(path, 'empty-file'), '');
    await writeFile(join(path, 'x'.repeat(255)), 'a long name');
    await writeFile(join(path, 'grüße-日本'), 'a name that is not ASCII');
    await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe, 0x80])]), 'no UTF-8');
    // In the order of a language, or of UTF-16, these would be elsewhere.
    for (const name of ['a', 'B', 'Z', 'a-b', 'a.b', 'ab', '\uFF5E', '\u{1F600}']) {
      await writeFile(join(path, name), name);
    }
    await mkdir(join(path, 'a.folder', ...Array.from({ length: 64 }, (_, i) => `${i}`)), { recursive: true });
    await symlink('../nowhere', join(path, 'link'));
    await symlink('grüße-日本', join(path, 'link-to-file'));
    await symlink('empty', join(path, 'link-to-folder'));
    await symlink('t'.repeat(4_000), join(path, 'link-far'));
    for (const mode of [0o400, 0o444, 0o555, 0o644, 0o654, 0o700, 0o744, 0o755]) {
      await writeFile(join(path, `mode-${mode.toString(8)}`), 'm');
      await chmod(join(path, `mode-${mode.toString(8)}`), mode);
    }
    for (const size of [1, 7, 8, 9, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_000_003]) {
      await writeFile(join(path, `size-${size}`), Buffer.alloc(size, size % 251));
    }
    await expectSameAsNix(path);
  });

  it.each([
    ['a file', (path: string) => writeFile(path, 'x')],
    ['an empty file', (path: string) => writeFile(path, '')],
    ['an executable', (path: string) => writeFile(path, '#!/bin/sh\n', { mode: 0o755 })],
    ['a link', (path: string) => symlink('/nowhere', path)],
    ['an empty folder', (path: string) => mkdir(path)],
  ])('of %s alone', async (_, make) => {
    const path = newPath();
    await make(path);
    await expectSameAsNix(path);
  });

  it('of any tree', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (tree) => {
        const path = newPath();
        await writeTree(path, tree);
        await expectSameAsNix(path);
      }),
      { numRuns: 10 },
    );
  });
});
