import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import type { StorePath } from '../../shared/domain/names.ts';
import { nixString } from '../../worker/nix/nix-text.ts';
import {
  addPaths,
  madeUpPath,
  type Closure,
  type ClosureOrigin,
  type NewPath,
  type PrivateStore,
} from './private-store.ts';
import { file, folder, folderOf, symlink, writeTree, type StoreTree } from './store-tree.ts';

/** How deep newer versions of Nix take a tree, its root and its leaf included. */
const deepest = 64;
/** As long as the name of a file can be. */
const longestName = 255;
/** At and around the borders of an archive's padding, of blocks, and of what is read or sent at a time. */
const sizes = [0, 1, 7, 8, 9, 4_095, 4_096, 4_097, 32_768, 65_535, 65_536, 65_537, 131_072, 262_145];

/** A closure of all that a path may be, of each kind of address that a path may have, and of a derivation. */
export async function oddClosure(store: PrivateStore, origin: ClosureOrigin): Promise<Closure> {
  const from = `${origin.seed}/${origin.round}`;
  const addressed = await contentAddressed(store, from);
  const made = Object.entries(oddTrees(from)).map(([name, tree]): NewPath => {
    const path = madeUpPath(name, from);
    return { path, tree, references: [], deriver: addressed.derivation };
  });
  const selfish = madeUpPath('references-itself', from);
  made.push({
    path: selfish,
    tree: folder({ script: file(`#!${selfish}/script\n`, true) }),
    references: [selfish],
  });
  const root = madeUpPath('odd', from);
  const references = [...addressed.all, ...made.map(({ path }) => path)];
  const tree = folder({ all: file(`${from}\n${references.join('\n')}\n`) });
  await addPaths(store, [...made, { path: root, tree, references }]);
  return { root, ...(await measured(store, root)) };
}

function oddTrees(from: string): Readonly<Record<string, StoreTree>> {
  const said = file(from);
  let deep: StoreTree = said;
  for (let depth = 1; depth < deepest; depth += 1) deep = folder({ d: deep });
  return {
    'empty-folder': folder({}),
    'empty-file': file(''),
    'only-a-program': file(`#!/bin/sh\necho ${from}\n`, true),
    'only-a-link': symlink(`/nowhere/${from}`),
    links: folder({
      loop: symlink('loop'),
      up: symlink('../../..'),
      nowhere: symlink(`not/${from}`),
      long: symlink('t'.repeat(4_000)),
      'with spaces and ü': symlink('a b\nü'),
    }),
    empty: folder({ file: file(''), program: file('', true), folder: folder({ inner: folder({}) }), said }),
    names: folderOf(oddNames(said)),
    deep,
    sizes: folder(
      Object.fromEntries(
        sizes.map((size) => [`${size}`, file(Buffer.alloc(size, `${from} ${size}\n`), size % 2 === 1)]),
      ),
    ),
    'many-files': folder(
      Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${n}`, file(`${from} ${n}`)])),
    ),
    // All that the name of a path may hold.
    '0+a-b.c_d?e=F': said,
    ['n'.repeat(211)]: said,
  };
}

/** Each is a name of its own, and their order by bytes differs from that of texts, of letters and of numbers. */
function oddNames(contents: StoreTree): readonly (readonly [Buffer, StoreTree])[] {
  const texts = [
    ...[
      'a',
      'A',
      'B',
      'a-',
      'a.',
      'a.b',
      'a b',
      'a0',
      'aa',
      '10',
      '9',
      '-',
      '--help',
      '~',
      '*',
      '$HOME',
      '...',
    ],
    ...["'", '"', '\\', '\n', '\t', 'line\nbreak', '\u0001', '\u007f', ' ', '#', '%2e'],
    ...['ü', 'u\u0308', 'ß', 'Ω', '日本語', 'עברית', '\u200b', '\ufeff', '\uff5e', '\u{1f600}', '\u{10ffff}'],
    'l'.repeat(longestName),
    'ü'.repeat(127),
    '語'.repeat(85),
  ];
  // Latin-1, half of a character, and a surrogate: no UTF-8.
  const bytes = [[0xfc], [0xe8, 0xaa], [0xed, 0xa0, 0x80], [0xff, 0xfe]];
  return [...texts.map((text) => Buffer.from(text)), ...bytes.map((each) => Buffer.from(each))].map(
    (name) => [name, contents] as const,
  );
}

const Addressed = z.object({ derivation: z.string(), all: z.array(z.string()) });

/** Paths that Nix itself addresses by what they hold, and a derivation with what it is made from. */
async function contentAddressed(
  { storeRoot, nix }: PrivateStore,
  from: string,
): Promise<z.infer<typeof Addressed>> {
  await mkdir(storeRoot, { recursive: true });
  const sources = await mkdtemp(join(storeRoot, 'sources-'));
  const limits = { signal: undefined, deadlineMs: 60_000 };
  try {
    writeTree(
      join(sources, 'tree'),
      folder({ said: file(from), program: file('', true), link: symlink('said') }),
    );
    writeTree(join(sources, 'flat'), file(from));
    // Lazily evaluated, the derivations would not be written.
    const expression = `let
      said = builtins.toFile "said" ${nixString(from)};
      saying = builtins.toFile "saying" "see \${said}";
      tree = builtins.path { path = ${sources}/tree; name = "addressed-tree"; };
      flat = builtins.path { path = ${sources}/flat; name = "addressed-flat"; recursive = false; };
      derived = name: inputs: derivation {
        inherit name inputs;
        system = "x86_64-linux"; builder = "/bin/sh"; args = [ saying ]; outputs = [ "out" "doc" ];
      };
      inner = derived "inner" [ tree ];
      outer = derived "outer" [ inner inner.doc flat ];
    in { derivation = outer.drvPath; all = [ saying tree flat outer.drvPath ]; }`;
    const result = await nix.run(['nix', 'eval', '--impure', '--json', '--expr', expression], limits);
    if (result.code !== 0) throw new Error(result.stderrTail);
    return Addressed.parse(JSON.parse(result.stdout.toString('utf8')));
  } finally {
    await rm(sources, { recursive: true });
  }
}

const Infos = z.array(z.object({ narSize: z.number() }));

async function measured({ nix }: PrivateStore, root: StorePath): Promise<{ paths: number; bytes: number }> {
  const limits = { signal: undefined, deadlineMs: 60_000 };
  const result = await nix.run(['nix', 'path-info', '--json', '--recursive', root], limits);
  const infos = Infos.parse(JSON.parse(result.stdout.toString('utf8')));
  return { paths: infos.length, bytes: infos.reduce((sum, { narSize }) => sum + narSize, 0) };
}
