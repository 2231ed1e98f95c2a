import type { StorePath } from '../../shared/domain/names.ts';
import { createRandom, type Random } from '../simulation/random.ts';
import { oddClosure } from './odd-closure.ts';
import {
  addPaths,
  madeUpPath,
  type Closure,
  type ClosureOrigin,
  type NewPath,
  type PrivateStore,
} from './private-store.ts';
import { realBytes, type RealBytes } from './real-bytes.ts';
import { file, folder, symlink, type StoreTree } from './store-tree.ts';

export type ClosureKind =
  /** Paths of all sizes and some files each that reference one another as those of a real system do. */
  | { readonly kind: 'system'; readonly paths: number; readonly bytes: number }
  /** Paths of one small file each. */
  | { readonly kind: 'tiny'; readonly paths: number }
  /** One path of one file. */
  | { readonly kind: 'huge'; readonly bytes: number }
  /** All that a path may be and a program may forget. */
  | { readonly kind: 'odd' };

/** Makes a closure valid in a store. */
export async function closureOf(
  store: PrivateStore,
  kind: ClosureKind,
  origin: ClosureOrigin,
): Promise<Closure> {
  if (kind.kind === 'odd') return oddClosure(store, origin);
  const paths = pathsOf(kind, origin);
  const root = paths.at(-1);
  if (root === undefined) throw new RangeError('a closure of nothing');
  return { root: root.path, paths: paths.length, bytes: await addPaths(store, paths) };
}

/** The paths of a closure, references first, the root last. */
export function pathsOf(
  kind: Exclude<ClosureKind, { kind: 'odd' }>,
  { seed, round }: ClosureOrigin,
): readonly NewPath[] {
  const from = `${seed}/${round}`;
  const random = createRandom(seed);
  switch (kind.kind) {
    case 'system':
      return systemPaths(kind, from, random);
    case 'tiny':
      return tinyPaths(kind.paths, from);
    case 'huge': {
      // The same again, however often it is read.
      const tree = file(() => hugeContents(kind.bytes, from, random.fork('contents')));
      return [{ path: madeUpPath('huge', from), references: [], tree }];
    }
  }
}

function systemPaths(
  { paths, bytes }: { readonly paths: number; readonly bytes: number },
  from: string,
  random: Random,
): readonly NewPath[] {
  const weights = Array.from({ length: paths }, () => Math.exp(1.6 * bellCurve(random)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const real = realBytes();
  const all: NewPath[] = [];
  const unreferenced = new Set<StorePath>();
  for (const [index, weight] of weights.entries()) {
    const isRoot = index === paths - 1;
    const name = isRoot ? 'system' : `package-${index}`;
    const path = madeUpPath(name, from);
    const mine = random.fork(name);
    // The first ones, like a C library, are what nearly everything references.
    const some = Array.from({ length: Math.min(index, mine.int(6)) }, () =>
      Math.floor(index * mine.next() ** 2),
    );
    const references = new Set(some.flatMap((other) => all[other]?.path ?? []));
    if (isRoot) for (const other of unreferenced) references.add(other);
    for (const other of references) unreferenced.delete(other);
    unreferenced.add(path);
    const tree = packageTree(name, (weight / sum) * bytes, [...references], { from, random: mine, real });
    all.push({ path, references: [...references], tree });
  }
  return all;
}

/** A program, its libraries and its documents, of so many bytes in all. */
function packageTree(
  name: string,
  bytes: number,
  references: readonly string[],
  { from, random, real }: { readonly from: string; readonly random: Random; readonly real: RealBytes },
): StoreTree {
  const program = real.piece(random, Math.ceil(bytes / 2));
  const libraries: Record<string, StoreTree> = {};
  const documents: Record<string, StoreTree> = {};
  let left = bytes - program.length;
  for (let more = 1 + random.int(8); more > 0; more -= 1) {
    const piece = real.piece(random, Math.ceil(left / more));
    left -= piece.length;
    if (more % 2 === 1) documents[`chapter-${more}.txt`] = file(piece);
    else {
      libraries[`lib${name}-${more}.so.1`] = file(piece, true);
      libraries[`lib${name}-${more}.so`] = symlink(`lib${name}-${more}.so.1`);
    }
  }
  return folder({
    bin: folder({ [name]: file(program, true) }),
    lib: folder(libraries),
    share: folder({ doc: folder(documents) }),
    'made-from': file(`${from}\n${references.join('\n')}\n`),
  });
}

function tinyPaths(paths: number, from: string): readonly NewPath[] {
  const leaves = Array.from({ length: paths - 1 }, (_, index): NewPath => {
    const path = madeUpPath(`tiny-${index}`, from);
    return { path, references: [], tree: file(`${from}\n${index}\n`) };
  });
  const references = leaves.map(({ path }) => path);
  const tree = file(`${from}\n${references.join('\n')}\n`);
  return [...leaves, { path: madeUpPath('tiny', from), references, tree }];
}

/** Real bytes, and between them what cannot be compressed, as in an image of a disk or a bundle of firmware. */
function* hugeContents(bytes: number, from: string, random: Random): Iterable<Buffer> {
  const real = realBytes();
  const noise = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE(random.int(2 ** 32), at);
  yield Buffer.from(`${from}\n`);
  for (let left = bytes - from.length - 1; left > 0;) {
    const size = Math.min(left, 4096 + random.int(124 * 1024));
    const start = random.int(noise.length - size);
    const piece = random.chance(0.15) ? noise.subarray(start, start + size) : real.piece(random, size);
    left -= piece.length;
    yield piece;
  }
}

/** From a distribution like a bell, around 0 and of width 1. */
function bellCurve(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
