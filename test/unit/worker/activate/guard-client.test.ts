import { expect, it } from 'vitest';

import { oneLine } from '../../../../worker/activate/guard-client.ts';

it('a text for the guard is one line of as many bytes as it takes, and ends with a whole character', () => {
  expect(oneLine('one\ntwo\tthree')).toBe('one two three');
  expect(oneLine('x'.repeat(3_000))).toBe('x'.repeat(1_500));
  expect(oneLine(`x${'ж'.repeat(3_000)}`)).toBe(`x${'ж'.repeat(749)}`);
});
