import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { archiveOf } from '../../../../worker/nix/nar.ts';
import { encodeNumber, encodeText } from '../../../../worker/nix/protocol/wire.ts';
import { anyTree, writeTree, type Node } from '../../../support/any-tree.ts';

let folder: string;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-nar-'));
});
// Node cannot remove names that are no UTF-8.
afterAll(() => void execFileSync('rm', ['-rf', folder]));

function newPath(): string {
  made += 1;
  return join(folder, `${made}`);
}

async function piecesOf(path: string): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveOf(path)) pieces.push(piece);
  return pieces;
}

/** The format once more, in the simplest way. */
function reference(node: Node): Buffer {
  return Buffer.concat([encodeText('('), encodeText('type'), ...contentsOf(node), encodeText(')')]);
}

function contentsOf(node: Node): Buffer[] {
  switch (node.kind) {
    case 'file':
      return [
        encodeText('regular'),
        ...(node.executable ? [encodeText('executable'), encodeText('')] : []),
        encodeText('contents'),
        bytesText(node.contents),
      ];
    case 'link':
      return [encodeText('symlink'), encodeText('target'), bytesText(node.target)];
    case 'folder':
      return [
        encodeText('directory'),
        ...[...node.entries]
          .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')))
          .flatMap(([name, entry]) => [
            ...[encodeText('entry'), encodeText('('), encodeText('name')],
            ...[
              bytesText(Buffer.from(name, 'latin1')),
              encodeText('node'),
              reference(entry),
              encodeText(')'),
            ],
          ]),
      ];
  }
}

function bytesText(bytes: Buffer): Buffer {
  return Buffer.concat([encodeNumber(bytes.length), bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
}

describe('an archive', () => {
  test('of a file is what the manual of Nix says', async () => {
    const path = newPath();
    await writeFile(path, 'hello\n');
    const texts = ['nix-archive-1', '(', 'type', 'regular', 'contents', 'hello\n', ')'];
    expect(Buffer.concat(await piecesOf(path))).toEqual(Buffer.concat(texts.map(encodeText)));
  });

  test('of any tree has every entry, whatever bytes its name is made of', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (tree) => {
        const path = newPath();
        await writeTree(path, tree);
        const pieces = await piecesOf(path);
        const expected = Buffer.concat([encodeText('nix-archive-1'), reference(tree)]);
        expect(Buffer.concat(pieces).equals(expected)).toBe(true);
        for (const piece of pieces.slice(0, -1)) expect(piece).toHaveLength(256 * 1024);
        expect(pieces.at(-1)?.length).toBeGreaterThan(0);
        expect(pieces.at(-1)?.length).toBeLessThanOrEqual(256 * 1024);
      }),
      { numRuns: 30 },
    );
  });

  test('has no empty piece at its end where its size is a multiple of a piece’s', async () => {
    const path = newPath();
    const frame = Buffer.concat(
      ['nix-archive-1', '(', 'type', 'regular', 'contents', '', ')'].map(encodeText),
    );
    await writeFile(path, Buffer.alloc(2 * 256 * 1024 - frame.length, 1));
    expect((await piecesOf(path)).map(({ length }) => length)).toEqual([256 * 1024, 256 * 1024]);
  });

  test('can be kept: a piece does not change when the next one comes', async () => {
    const path = newPath();
    const contents = Buffer.alloc(1_000_000, 'abcdefg');
    await writeFile(path, contents);
    const archive = Buffer.concat(await piecesOf(path));
    expect(archive.subarray(96, 96 + contents.length).equals(contents)).toBe(true);
  });

  test('lets others have their turn while it is made of many small files', async () => {
    const path = newPath();
    await mkdir(path);
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => writeFile(join(path, `${i}`), `${i}`)));
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await piecesOf(path);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

describe('no archive is made', () => {
  test('of what it cannot hold', async () => {
    const path = newPath();
    await mkdir(path);
    execFileSync('mkfifo', [join(path, 'pipe')]);
    await expect(piecesOf(path)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: `${join(path, 'pipe')} is neither a file, nor a folder, nor a link: no archive can hold it`,
    });
    await expect(piecesOf('/dev/null')).rejects.toMatchObject({ code: 'INTERNAL', disposition: 'stalled' });
  });

  test('of what is not there', async () => {
    const path = newPath();
    await expect(piecesOf(path)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining(`no archive can be made of ${path}: ENOENT`) as string,
    });
  });

  test.each([
    ['fewer', (path: string) => truncate(path, 300_000)],
    ['more', (path: string) => appendFile(path, 'more')],
  ])('of a file that has %s bytes in the end than in the beginning', async (word, change) => {
    const path = newPath();
    await writeFile(path, Buffer.alloc(1_000_000));
    const pieces = archiveOf(path);
    await pieces.next();
    await change(path);
    const rest = async (): Promise<void> => {
      for await (const piece of pieces) expect(piece.length).toBeGreaterThan(0);
    };
    await expect(rest()).rejects.toThrow(
      `${path} changed while it was read: it had 1000000 bytes, and then ${word}`,
    );
  });

  // Their sizes are zero until one reads them.
  test('of a small file that has more bytes than it says', async () => {
    await expect(piecesOf('/proc/self/status')).rejects.toThrow('it had 0 bytes, and then more');
  });

  test('to its end when nobody wants it any more, and no file stays open', async () => {
    const path = newPath();
    await mkdir(path);
    await writeFile(join(path, 'large'), Buffer.alloc(1_000_000));
    await symlink('large', join(path, 'link'));
    const open = (await readdir('/proc/self/fd')).length;
    for (let i = 0; i < 20; i += 1) {
      for await (const piece of archiveOf(path)) {
        expect(piece).toHaveLength(256 * 1024);
        break;
      }
    }
    expect((await readdir('/proc/self/fd')).length).toBeLessThan(open + 10);
  });
});
