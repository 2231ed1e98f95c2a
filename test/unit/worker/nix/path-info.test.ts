import { expect, test } from 'vitest';

import { parsePathInfo } from '../../../../worker/nix/path-info.ts';

const a = '/nix/store/00000000000000000000000000000000-a';

test('the list that Nix prints up to 2.18 is read', () => {
  expect(parsePathInfo(JSON.stringify([{ path: a, narSize: 5, references: [] }]))).toEqual([
    { path: a, narSize: 5 },
  ]);
});

test('the object that Nix prints since 2.19 is read', () => {
  expect(parsePathInfo(JSON.stringify({ [a]: { narSize: 5 } }))).toEqual([{ path: a, narSize: 5 }]);
});

test('the newest form, without the folder of the store, is read', () => {
  const text = JSON.stringify({ version: 3, info: { '00000000000000000000000000000000-a': { narSize: 5 } } });
  expect(parsePathInfo(text)).toEqual([{ path: a, narSize: 5 }]);
});

test('anything else is refused', () => {
  for (const text of [
    '7',
    JSON.stringify({ [a]: null }),
    JSON.stringify([{ path: '/etc/passwd', narSize: 1 }]),
  ]) {
    expect(() => parsePathInfo(text)).toThrow('nix path-info answered something unknown');
  }
});
