import { createHash, type Hash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  futimesSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';

/** What a store path is made of. Names and targets are bytes: not all that a file system holds is text. */
export type StoreTree =
  | { readonly kind: 'file'; readonly executable: boolean; readonly chunks: () => Iterable<Buffer> }
  | { readonly kind: 'symlink'; readonly target: Buffer }
  | { readonly kind: 'folder'; readonly entries: readonly (readonly [name: Buffer, tree: StoreTree])[] };

export function file(contents: string | Buffer | (() => Iterable<Buffer>), executable = false): StoreTree {
  if (typeof contents === 'function') return { kind: 'file', executable, chunks: contents };
  const bytes = Buffer.from(contents);
  return { kind: 'file', executable, chunks: () => [bytes] };
}

export function symlink(target: string): StoreTree {
  return { kind: 'symlink', target: Buffer.from(target) };
}

/** A folder of what is there by its name, in any order. */
export function folder(entries: Readonly<Record<string, StoreTree>>): StoreTree {
  return folderOf(Object.entries(entries).map(([name, tree]) => [Buffer.from(name), tree] as const));
}

/** The same, of names that need not be text. */
export function folderOf(entries: readonly (readonly [Buffer, StoreTree])[]): StoreTree {
  return { kind: 'folder', entries: entries.toSorted(([a], [b]) => Buffer.compare(a, b)) };
}

export interface Written {
  /** SHA-256 of the tree's archive in Nix's format, in hex. */
  readonly narHash: string;
  readonly narSize: number;
}

/** Writes a tree where nothing is yet, with the permissions and times that Nix gives to all in its store. */
export function writeTree(path: string, tree: StoreTree): Written {
  const archive = createArchive();
  archive.text('nix-archive-1');
  write(Buffer.from(path), tree, archive);
  return archive.finish();
}

/** In seconds: what Nix sets all times to. */
const storeTime = 1;
const slash = Buffer.from('/');

function write(path: Buffer, tree: StoreTree, archive: Archive): void {
  archive.texts('(', 'type');
  switch (tree.kind) {
    case 'file': {
      archive.text('regular');
      if (tree.executable) archive.texts('executable', '');
      archive.text('contents');
      // Made twice, so that a file of a gigabyte is never in memory as a whole.
      let size = 0;
      for (const chunk of tree.chunks()) size += chunk.length;
      archive.number(size);
      const handle = openSync(path, 'wx', tree.executable ? 0o555 : 0o444);
      try {
        for (const chunk of tree.chunks()) {
          for (let at = 0; at < chunk.length;) at += writeSync(handle, chunk, at);
          archive.bytes(chunk);
        }
        futimesSync(handle, storeTime, storeTime);
      } finally {
        closeSync(handle);
      }
      archive.pad();
      break;
    }
    case 'symlink':
      archive.texts('symlink', 'target');
      archive.text(tree.target);
      symlinkSync(tree.target, path);
      break;
    case 'folder':
      archive.text('directory');
      mkdirSync(path, 0o755);
      for (const [name, child] of tree.entries) {
        archive.texts('entry', '(', 'name');
        archive.text(name);
        archive.text('node');
        write(Buffer.concat([path, slash, name]), child, archive);
        archive.text(')');
      }
      chmodSync(path, 0o555);
      break;
  }
  if (tree.kind !== 'file') lutimesSync(path, storeTime, storeTime);
  archive.text(')');
}

interface Archive {
  number(value: number): void;
  text(value: string | Buffer): void;
  texts(...values: readonly string[]): void;
  bytes(value: Buffer): void;
  pad(): void;
  finish(): Written;
}

function createArchive(): Archive {
  const hash: Hash = createHash('sha256');
  let size = 0;
  const bytes = (value: Buffer): void => {
    hash.update(value);
    size += value.length;
  };
  const number = (value: number): void => {
    const eight = Buffer.alloc(8);
    eight.writeBigUInt64LE(BigInt(value));
    bytes(eight);
  };
  const pad = (): void => bytes(Buffer.alloc((8 - (size % 8)) % 8));
  const text = (value: string | Buffer): void => {
    const all = Buffer.from(value);
    number(all.length);
    bytes(all);
    pad();
  };
  return {
    number,
    text,
    texts(...values) {
      for (const value of values) text(value);
    },
    bytes,
    pad,
    finish: () => ({ narHash: hash.digest('hex'), narSize: size }),
  };
}
