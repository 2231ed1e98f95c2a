import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { closureOf, type ClosureKind } from '../../support/closures.ts';
import { createWorkshop, type Workshop } from '../../support/nix-workshop.ts';

let workshop: Workshop;

beforeAll(async () => {
  workshop = await createWorkshop();
});

afterAll(() => workshop?.close());

const kinds: readonly ClosureKind[] = [
  { kind: 'odd' },
  { kind: 'system', paths: 20, bytes: 1_000_000 },
  { kind: 'tiny', paths: 20 },
  { kind: 'huge', bytes: 5_000_000 },
];

async function nix(...args: readonly string[]): Promise<string> {
  const [program = '', ...rest] = args;
  if (program !== 'nix' && program !== 'nix-store') throw new RangeError(program);
  const result = await workshop.nix.run([program, ...rest], { signal: undefined, deadlineMs: 60_000 });
  if (result.code !== 0 || result.errors.length > 0) throw new Error(result.stderrTail);
  return result.stdout.toString('utf8');
}

const Infos = z.array(
  z.object({
    path: z.string(),
    narSize: z.number(),
    ca: z.string().optional(),
    deriver: z.string().optional(),
  }),
);

async function infosOf(root: string) {
  return Infos.parse(JSON.parse(await nix('nix', 'path-info', '--json', '--recursive', root)));
}

describe.each(kinds)('a closure of kind $kind', (kind) => {
  test('is valid and whole where it was made, and wherever Nix copies it', async () => {
    const { root, paths, bytes } = await closureOf(workshop, kind, { seed: 'a', round: '1' });
    const infos = await infosOf(root);
    expect(infos.length).toBe(paths);
    expect(infos.reduce((sum, { narSize }) => sum + narSize, 0)).toBe(bytes);
    await nix('nix-store', '--verify', '--check-contents');

    // Nix compares every hash, and wants every reference to be there.
    const other = join(workshop.folder, `copied-${kind.kind}`);
    await nix('nix', 'copy', '--no-check-sigs', '--to', `local?root=${other}`, root);
    expect((await readdir(join(other, 'nix/store'))).filter((name) => !name.startsWith('.'))).toHaveLength(
      paths,
    );
    await nix('nix-store', '--store', `local?root=${other}`, '--verify', '--check-contents');
  });
});

test('what is damaged is found', async () => {
  const { root } = await closureOf(workshop, { kind: 'tiny', paths: 2 }, { seed: 'a', round: 'damaged' });
  const { run } = workshop;
  await run(['sh', '-c', 'echo more >> "$0"', join(workshop.storeRoot, root)], { deadlineMs: 5_000 });
  await expect(nix('nix-store', '--verify', '--check-contents')).rejects.toThrow('modified');
});

test('an odd closure has derivations, and paths of every kind of address, anew in each round', async () => {
  const roots = [];
  for (const round of ['1', '2']) {
    const { root } = await closureOf(workshop, { kind: 'odd' }, { seed: 'b', round });
    roots.push((await infosOf(root)).map(({ path }) => path));
    const infos = await infosOf(root);
    expect(infos.filter(({ path }) => path.endsWith('.drv'))).toHaveLength(2);
    const kindsOfAddress = infos.map(({ ca }) => /^(?:text|fixed(?::r)?)(?=:sha256)/.exec(ca ?? '')?.[0]);
    expect(new Set(kindsOfAddress)).toEqual(new Set(['text', 'fixed', 'fixed:r', undefined]));
    expect(infos.some(({ deriver }) => deriver !== undefined)).toBe(true);
  }
  const [one = [], other = []] = roots;
  expect(one.filter((path) => other.includes(path))).toEqual([]);
});
