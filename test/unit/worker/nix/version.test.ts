import { expect, test } from 'vitest';
import { isBeforeStarted } from '../../../../worker/nix/version.ts';

test.each([
  ['nix (Nix) 2.8.0\n', true],
  ['nix (Nix) 2.15.3', true],
  ['nix (Nix) 2.16.0pre20230512_916da45', false],
  ['nix (Nix) 2.31.1', false],
  ['nix (Nix) 3.0.0', false],
  ['nix (Lix, like Nix) 2.93.0', false],
  ['', false],
])('%j shares connections of OpenSSH: %s', (said, expected) => {
  expect(isBeforeStarted(said)).toBe(expected);
});
