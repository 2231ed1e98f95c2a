import { expect, test } from 'vitest';

import { parseRevision } from '../../../../shared/domain/names.ts';
import { flakeUrl } from '../../../../worker/evaluate/flake-url.ts';

const tree = { folder: '/data of/trees/x', ref: 'refs/heads/tree', commit: parseRevision('a'.repeat(40)) };

test('a flake reference names the commit, and escapes what is data', () => {
  const base = `git+file:///data%20of/trees/x?ref=refs/heads/tree&rev=${'a'.repeat(40)}`;
  expect(flakeUrl(tree, '.')).toBe(base);
  expect(flakeUrl(tree, './nix/fleet/')).toBe(`${base}&dir=nix/fleet`);
  expect(flakeUrl(tree, 'a&rev=b #c')).toBe(`${base}&dir=a%26rev%3Db%20%23c`);
});

test('a folder that leads out of the tree is refused', () => {
  for (const folder of ['..', 'a/../..', '/etc', 'a\n']) {
    expect(() => flakeUrl(tree, folder)).toThrow('is not a folder of the repository');
  }
});
