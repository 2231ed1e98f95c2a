import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { pathsOf, type ClosureKind } from '../../support/closures.ts';
import type { NewPath } from '../../support/private-store.ts';
import { file, folder, writeTree, type StoreTree } from '../../support/store-tree.ts';

const system = { kind: 'system', paths: 40, bytes: 4_000_000 } as const;
const kinds = [system, { kind: 'tiny', paths: 30 }, { kind: 'huge', bytes: 3_000_000 }] as const;
const first = { seed: 'a seed', round: '1' };

function contents(tree: StoreTree): readonly Buffer[] {
  if (tree.kind === 'file') return [...tree.chunks()];
  return tree.kind === 'symlink' ? [tree.target] : tree.entries.flatMap(([, child]) => contents(child));
}

function bytesOf({ tree }: NewPath): Buffer {
  return Buffer.concat(contents(tree));
}

describe.each(kinds)('a closure of kind $kind', (kind: Exclude<ClosureKind, { kind: 'odd' }>) => {
  test('is the same from the same seed', () => {
    const [one, other] = [pathsOf(kind, first), pathsOf(kind, first)];
    expect(one.map(({ path, references }) => ({ path, references }))).toEqual(
      other.map(({ path, references }) => ({ path, references })),
    );
    expect(one.every((path, at) => bytesOf(path).equals(bytesOf(other[at] ?? path)))).toBe(true);
    // However often it is read.
    expect(one.every((path) => bytesOf(path).equals(bytesOf(path)))).toBe(true);
  });

  test('has nothing of another round in it, neither a path nor what is in it', () => {
    const all = (round: string) => pathsOf(kind, { ...first, round });
    const [one, other] = [all('1'), all('2')];
    const paths = new Set(one.map(({ path }) => path));
    expect(other.filter(({ path }) => paths.has(path))).toEqual([]);
    const held = new Set(one.map((path) => bytesOf(path).toString('base64')));
    expect(other.filter((path) => held.has(bytesOf(path).toString('base64')))).toEqual([]);
    expect(other.map(({ path }) => path.slice(44))).toEqual(one.map(({ path }) => path.slice(44)));
  });

  test('references only what comes before, and its root reaches everything', () => {
    const all = pathsOf(kind, first);
    const before = new Set<string>();
    for (const { path, references } of all) {
      expect(references.filter((reference) => !before.has(reference))).toEqual([]);
      before.add(path);
    }
    const byPath = new Map<string, NewPath>(all.map((path) => [path.path, path]));
    const reached = new Set<string>();
    const reach = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const reference of byPath.get(path)?.references ?? []) reach(reference);
    };
    reach(all.at(-1)?.path ?? '');
    expect(reached.size).toBe(all.length);
  });

  test('holds the names of all that it references, as what Nix would find in it', () => {
    for (const path of pathsOf(kind, first)) {
      const held = bytesOf(path).toString('latin1');
      expect(path.references.filter((reference) => !held.includes(reference))).toEqual([]);
    }
  });
});

describe('what a closure is made of', () => {
  const total = (paths: readonly NewPath[]) => paths.reduce((sum, path) => sum + bytesOf(path).length, 0);

  test('is about as much as asked for', () => {
    const bytes = total(pathsOf(system, first));
    expect(bytes).toBeGreaterThan(system.bytes);
    expect(bytes).toBeLessThan(system.bytes * 1.05);
    expect(total(pathsOf({ kind: 'huge', bytes: 3_000_000 }, first))).toBe(3_000_000);
  });

  test('can be compressed as well as programs can, not like zeros and not like noise', () => {
    for (const kind of [system, { kind: 'huge', bytes: 8_000_000 } as const]) {
      const paths = pathsOf(kind, first);
      const compressed = paths.reduce(
        (sum, path) => sum + deflateSync(bytesOf(path), { level: 1 }).length,
        0,
      );
      const ratio = total(paths) / compressed;
      expect(ratio).toBeGreaterThan(1.8);
      expect(ratio).toBeLessThan(5);
    }
  });
});

describe('a tree of the store', () => {
  let place: string;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'varve-tree-'));
  });

  afterAll(() => rm(place, { recursive: true, force: true }));

  const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');

  test('has the hash and the size that Nix gives it', () => {
    // As `nix path-info` of 2.8 says.
    expect(writeTree(join(place, 'file'), file('hi\n'))).toEqual({
      narHash: hex('EFUdrtf6Rn0LWIJufrmg8q99aT3jGfLvd1//zaJEufY='),
      narSize: 120,
    });
    expect(writeTree(join(place, 'folder'), folder({ x: file('') }))).toEqual({
      narHash: hex('WCJRhIeEX2YyF/M28S+xi1FRp7BPHSuhPSagiT9xT9U='),
      narSize: 280,
    });
  });

  test('has the permissions and times of what is in the store', async () => {
    writeTree(join(place, 'all'), folder({ program: file('x', true), text: file('y') }));
    const seen = async (name: string) => {
      const { mode, mtimeMs } = await lstat(join(place, name));
      return [mode & 0o777, mtimeMs];
    };
    expect(await seen('all')).toEqual([0o555, 1_000]);
    expect(await seen('all/program')).toEqual([0o555, 1_000]);
    expect(await seen('all/text')).toEqual([0o444, 1_000]);
  });
});
