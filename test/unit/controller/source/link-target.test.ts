import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkLeavesTree } from '../../../../controller/source/link-target.ts';

function leaves(path: string, links: Readonly<Record<string, string>>): boolean {
  return linkLeavesTree(path, new Map(Object.entries(links)));
}

describe('a symbolic link', () => {
  it.each([
    ['beside it', 'a/link', { 'a/link': 'b' }],
    ['above it, still inside', 'a/b/link', { 'a/b/link': '../../c' }],
    ['to the top itself', 'a/link', { 'a/link': '..' }],
    ['to nothing', 'link', { link: 'absent/../x' }],
    ['in a circle', 'a', { a: 'b', b: 'a' }],
    ['to itself', 'a', { a: 'a' }],
    ['through another link', 'x', { x: 'up/c', up: 'a/b' }],
    ['with empty parts', 'a/link', { 'a/link': './/b/./c' }],
  ])('may point %s', (_, path, links) => {
    expect(leaves(path, links)).toBe(false);
  });

  it.each([
    ['one step above the top', 'link', { link: '..' }],
    ['far above the top', 'a/link', { 'a/link': '../../../etc/passwd' }],
    ['out and in again', 'a', { a: '../repository/b' }],
    ['to an absolute path', 'link', { link: '/etc/passwd' }],
    [
      'out through another link whose target is nearer to the top',
      'a/b/x',
      { 'a/b/x': 'up/../y', 'a/b/up': '../..' },
    ],
    ['to a link that leaves', 'x', { x: 'y', y: '../z' }],
  ])('may not point %s', (_, path, links) => {
    expect(leaves(path, links)).toBe(true);
  });

  it('is not followed for longer than the tree may take', () => {
    const links = new Map([['a', 'b/'.repeat(2_000)]]);
    const effort = { left: 10_000_000 };
    const followed = Array.from({ length: 100_000 }, () => linkLeavesTree('a', links, effort));
    expect(effort.left).toBeLessThan(0);
    expect(followed.filter((leaving) => !leaving).length).toBeLessThan(10);
  });

  it('stays inside whenever it does not go up', () => {
    const part = fc.constantFrom('a', 'b', 'c', '.', '');
    fc.assert(
      fc.property(
        fc.array(part),
        fc.dictionary(fc.constantFrom('a', 'a/b', 'b/c'), fc.array(part)),
        (path, links) => {
          const targets = Object.entries(links).map(([at, target]) => [at, `x/${target.join('/')}`] as const);
          expect(linkLeavesTree(path.join('/'), new Map(targets))).toBe(false);
        },
      ),
    );
  });
});
