import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { parseStorePath, type StorePath } from '../../shared/domain/names.ts';
import type { Nix } from '../../worker/nix/nix.ts';
import { writeTree, type StoreTree } from './store-tree.ts';

/** A Nix store in a folder, which this process may write to without asking Nix. */
export interface PrivateStore {
  /** `/nix/store/x` is `<storeRoot>/nix/store/x`. */
  readonly storeRoot: string;
  /** Configured to use that store. */
  readonly nix: Nix;
}

export interface NewPath {
  readonly path: StorePath;
  readonly tree: StoreTree;
  /** All that it references: valid already, or added with it. */
  readonly references: readonly string[];
  readonly deriver?: string;
}

/** Of the same seed and round, all is the same on the same machine; of another round, every path is another. */
export interface ClosureOrigin {
  readonly seed: string;
  readonly round: string;
}

export interface Closure {
  /** References all the others. */
  readonly root: StorePath;
  /** How many there are, the root included. */
  readonly paths: number;
  /** Their size as archives. */
  readonly bytes: number;
}

/** A path as a build would have it: its name, and a hash that only says from what it was made. */
export function madeUpPath(name: string, madeFrom: string): StorePath {
  const digest = createHash('sha256').update(`${madeFrom}\n${name}`).digest();
  return parseStorePath(`/nix/store/${nixBase32(digest.subarray(0, 20))}-${name}`);
}

/**
 * Adds paths to a store, without building anything: they are written to their places and registered in one go, as
 * `nix-store --load-db` does after a restore. Gives the sum of their sizes as archives.
 */
export async function addPaths({ storeRoot, nix }: PrivateStore, paths: Iterable<NewPath>): Promise<number> {
  await mkdir(join(storeRoot, 'nix/store'), { recursive: true });
  const lines: (string | number)[] = [];
  let bytes = 0;
  for (const { path, tree, references, deriver = '' } of paths) {
    const { narHash, narSize } = writeTree(join(storeRoot, path), tree);
    lines.push(path, narHash, narSize, deriver, references.length, ...references);
    bytes += narSize;
    // Whatever else this process does gets a turn.
    await setImmediate();
  }
  const input = lines.map((line) => `${line}\n`).join('');
  const result = await nix.run(['nix-store', '--load-db'], { signal: undefined, deadlineMs: 60_000, input });
  if (result.code !== 0) throw new Error(`the paths could not be registered: ${result.stderrTail}`);
  return bytes;
}

const digits = '0123456789abcdfghijklmnpqrsvwxyz';

/** Nix's own way to write bytes: 32 digits without e, o, u and t, the last bits first. */
function nixBase32(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.length * 8) / 5);
  let text = '';
  for (let place = length - 1; place >= 0; place -= 1) {
    const bit = place * 5;
    const [byte, shift] = [Math.floor(bit / 8), bit % 8];
    const both = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8);
    text += digits.charAt((both >> shift) & 31);
  }
  return text;
}
