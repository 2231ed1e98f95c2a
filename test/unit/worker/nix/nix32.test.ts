import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatHash, parseHash } from '../../../../worker/nix/hash.ts';
import { decodeNix32, encodeNix32 } from '../../../../worker/nix/nix32.ts';

const hex = '1c37d01af40be2e80691de3cc3df44377a699afbb17c68f080964b2fd071fc13';
/** By `nix hash to-base32 --type sha256`. */
const nix32 = '04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw';

describe('base 32', () => {
  test('has the digits that Nix has', () => {
    expect(encodeNix32(Buffer.from(hex, 'hex'))).toBe(nix32);
    expect(decodeNix32(nix32)?.toString('hex')).toBe(hex);
  });

  test('has the same bytes there and back, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(decodeNix32(encodeNix32(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('is read only where it is what some bytes are written as', () => {
    const digits = fc.string({
      unit: fc.constantFrom(...'0123456789abcdfghijklmnpqrsvwxyz'.split('')),
      maxLength: 60,
    });
    fc.assert(
      fc.property(digits, (text) => {
        const bytes = decodeNix32(text);
        if (bytes !== undefined) expect(encodeNix32(bytes)).toBe(text);
      }),
    );
  });

  test.each([
    ['a letter that is no digit', `e${nix32.slice(1)}`],
    ['a capital', nix32.toUpperCase()],
    ['more than so many bytes can be', `z${nix32.slice(1)}`],
    ['a digit that no byte needs', `${nix32}00`],
    ['half a byte', '0'],
  ])('is not read of %s', (_, text) => {
    expect(decodeNix32(text)).toBeUndefined();
  });
});

describe('a hash', () => {
  const base64 = Buffer.from(hex, 'hex').toString('base64');

  test('is written as Nix shows it', () => {
    expect(formatHash(hex)).toBe(`sha256:${nix32}`);
  });

  test.each([hex, `sha256:${hex}`, `sha256:${nix32}`, `sha256:${base64}`, `sha256-${base64}`])(
    'is read of %s',
    (text) => {
      expect(parseHash(text)).toBe(hex);
    },
  );

  test.each([
    ['nothing', ''],
    ['its kind alone', 'sha256:'],
    ['base 32 that does not say of what', nix32],
    ['base 64 that does not say of what', base64],
    ['hex digits where base 64 is said to be', `sha256-${hex}`],
    ['another kind', `sha1:${nix32}`],
    ['capitals', hex.toUpperCase()],
    ['a digit less', hex.slice(1)],
    ['base 64 for the web', `sha256-${'_'.repeat(43)}=`],
    ['a line more', `${hex}\n`],
  ])('is not read of %s', (_, text) => {
    expect(parseHash(text)).toBeUndefined();
  });
});
