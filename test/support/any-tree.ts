import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import fc from 'fast-check';

/** What a path of a file system may be. Names have one character for each byte. */
export type Node =
  | { readonly kind: 'file'; readonly contents: Buffer; readonly executable: boolean }
  | { readonly kind: 'link'; readonly target: Buffer }
  | { readonly kind: 'folder'; readonly entries: ReadonlyMap<string, Node> };

/** Bytes that a name may have, those of no encoding among them; names that others begin with are likely. */
const anyName = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('a', 'A', '-', '.', '~', ' '),
      fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCodePoint(byte)),
    ),
    minLength: 1,
    maxLength: 12,
  })
  .filter((name) => !name.includes('/') && name !== '.' && name !== '..');

const anyContents = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  // Around the sizes from which on files are read, and written, in pieces.
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(64, 256, 512), fc.integer({ min: -120, max: 120 }), fc.nat(255))
      .map(([size, more, byte]) => Buffer.alloc(size * 1024 + more, byte)),
  },
);

export const anyTree: fc.Arbitrary<Node> = fc.letrec<{ node: Node; folder: Node; file: Node; link: Node }>(
  (tie) => ({
    node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('file'), tie('link'), tie('folder')),
    folder: fc
      .array(fc.tuple(anyName, tie('node')), { maxLength: 8 })
      .map((entries): Node => ({ kind: 'folder', entries: new Map(entries) })),
    file: fc.record({ kind: fc.constant('file'), contents: anyContents, executable: fc.boolean() }),
    link: anyName.map((name): Node => ({ kind: 'link', target: Buffer.from(name, 'latin1') })),
  }),
).folder;

/** Makes the tree a path of the file system. @param path one character for each byte */
export async function writeTree(path: string, node: Node): Promise<void> {
  const bytes = Buffer.from(path, 'latin1');
  switch (node.kind) {
    case 'file':
      await writeFile(bytes, node.contents);
      // Of others' bits an archive knows nothing.
      await chmod(bytes, node.executable ? 0o744 : 0o655);
      return;
    case 'link':
      return symlink(node.target, bytes);
    case 'folder':
      await mkdir(bytes);
      for (const [name, entry] of node.entries) await writeTree(`${path}/${name}`, entry);
  }
}
