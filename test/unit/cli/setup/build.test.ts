import { expect, it } from 'vitest';

// @ts-expect-error -- plain JavaScript, since it runs before anything is compiled
import * as untyped from '../../../../cli/setup/build.mjs';

const { isAsset }: { isAsset(file: string): boolean } = untyped;

it.each([
  ['worker/guard/script/main.sh', true],
  ['controller/dashboard/page.html', true],
  ['worker/main.ts', false],
  ['controller/README.md', false],
  ['cli/setup/setup.mjs', false],
  ['test/fixtures/broken/flake.nix', false],
])('%s is needed at run time: %s', (file, expected) => {
  expect(isAsset(file)).toBe(expected);
});
