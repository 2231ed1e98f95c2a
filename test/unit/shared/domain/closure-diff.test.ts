import { expect, test } from 'vitest';

import { parseStorePath } from '../../../../shared/domain/names.ts';
import { closureDiff, splitName } from '../../../../shared/domain/closure-diff.ts';

function path(name: string, narSize: number, digit = '0') {
  return { path: parseStorePath(`/nix/store/${digit.repeat(32)}-${name}`), narSize };
}

test('packages are added, removed or changed, with their versions and bytes', () => {
  const before = [path('glibc-2.39', 100), path('nginx-1.26.1', 50), path('old', 7)];
  const after = [path('glibc-2.39', 100), path('nginx-1.27.0', 65), path('redis-7.2.5', 20)];
  expect(closureDiff(before, after)).toEqual({
    added: [{ name: 'redis', before: [], after: ['7.2.5'], bytes: 20 }],
    removed: [{ name: 'old', before: [''], after: [], bytes: -7 }],
    changed: [{ name: 'nginx', before: ['1.26.1'], after: ['1.27.0'], bytes: 15 }],
    bytes: 28,
  });
});

test('a path that was built anew with the same version is a change', () => {
  const diff = closureDiff([path('nginx-1.26.1', 50, '0')], [path('nginx-1.26.1', 52, '1')]);
  expect(diff.changed).toEqual([{ name: 'nginx', before: ['1.26.1'], after: ['1.26.1'], bytes: 2 }]);
});

test('a second version beside the first is a change of the package', () => {
  const one = path('python3-3.11.9', 10);
  const diff = closureDiff([one], [one, path('python3-3.12.4', 12)]);
  expect(diff.changed).toEqual([
    { name: 'python3', before: ['3.11.9'], after: ['3.11.9', '3.12.4'], bytes: 12 },
  ]);
  expect(diff.added).toEqual([]);
});

test('equal closures differ in nothing', () => {
  const closure = [path('a-1', 1), path('b-2', 2)];
  expect(closureDiff(closure, closure.toReversed())).toEqual({
    added: [],
    removed: [],
    changed: [],
    bytes: 0,
  });
});

test('the version of a name begins at the first digit after a dash', () => {
  const digest = '0'.repeat(32);
  const split = (name: string) => splitName(`/nix/store/${digest}-${name}`);
  expect(split('openssl-3.0.14-bin')).toEqual({ name: 'openssl', version: '3.0.14-bin' });
  expect(split('nixos-system-web1')).toEqual({ name: 'nixos-system-web1', version: '' });
  expect(split('gtk+3-3.24')).toEqual({ name: 'gtk+3', version: '3.24' });
});
