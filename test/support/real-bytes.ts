import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

import { hashText, type Random } from '../simulation/random.ts';

/** Bytes as real systems have them: what compresses well or badly there does so here. */
export interface RealBytes {
  /** Some that follow one another in a real file, mostly; at most so many as there are. */
  piece(random: Random, bytes: number): Buffer;
}

const MiB = 1024 * 1024;
/** Where programs and documents are, how much is taken of each, and of which files. */
const shelves = [
  { folder: '/usr/lib', take: 48 * MiB, leastBytes: 32 * 1024 },
  { folder: '/usr/share', take: 16 * MiB, leastBytes: 2 * 1024 },
];
/** What is in them does not get smaller, and closures have little of it. */
const compressed = /\.(?:gz|xz|bz2|zst|zip|whl|jar|png|jpg|gif|woff2?|ko)$/;
/** Of a file at most: no single one is to be most of it all. */
const mostOfOne = 2 * MiB;

let bytes: Buffer | undefined;

/** Programs and documents of this machine. Read once, always in the same order. */
export function realBytes(): RealBytes {
  const all = (bytes ??= readShelves());
  return {
    piece(random, wanted) {
      const size = Math.min(wanted, all.length);
      const at = random.int(all.length - size + 1);
      return all.subarray(at, at + size);
    },
  };
}

function readShelves(): Buffer {
  const all = Buffer.alloc(shelves.reduce((sum, { take }) => sum + take, 0));
  let filled = 0;
  for (const { folder, take, leastBytes } of shelves) {
    const end = filled + take;
    // In an order that has nothing to do with their names: neighbours in a folder are much alike.
    const files = [...filesBelow(folder)]
      .map((file) => ({ file, place: hashText(file) }))
      .toSorted((a, b) => a.place - b.place);
    for (const { file } of files) {
      const read = readFrom(file, all.subarray(filled, Math.min(end, filled + mostOfOne)));
      if (read >= leastBytes) filled += read;
      if (filled === end) break;
    }
  }
  if (filled < 8 * MiB) throw new Error('this machine has too few programs to make a system of');
  return all.subarray(0, filled);
}

function* filesBelow(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && !compressed.test(entry.name)) yield path;
  }
}

function readFrom(path: string, into: Buffer): number {
  const file = openSync(path, 'r');
  try {
    return readSync(file, into);
  } finally {
    closeSync(file);
  }
}
