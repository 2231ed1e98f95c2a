import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { generateSigningKey, parseSigningKey, publicKeyOf } from '../../../../shared/platform/signing-key.ts';
import type { ValidPathInfo } from '../../../../worker/nix/protocol/path-info.ts';
import { fingerprintOf, signPath, verifySignature } from '../../../../worker/nix/signing.ts';
import { added } from './protocol/recorded.ts';

/** The seed is the bytes 0 to 31. */
const secret =
  'test-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==';
const publicKey = 'test-1:A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=';
/** By `nix store sign` of 2.8.0, and of 2.26.3, with this key. */
const byNix =
  'test-1:RsVAet5KXCUhrcXF1QI6uNdUqVrodAzOCDt+6BhseXkFd7+8Q8gDyZTzCafLO+vXgFu1d4P4zZ+JzsR+r9L3Bw==';

function refusal(act: () => unknown): FleetError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof FleetError) return thrown;
    throw thrown;
  }
  throw new Error('it was not refused');
}

describe('a signature', () => {
  const key = parseSigningKey(secret);

  test('is of what Nix signs', () => {
    const { path, references } = added.referring;
    expect(fingerprintOf(added.referring)).toBe(
      `1;${path};sha256:1jdbl75ircqagya3qmcxpwdwkk2jskwp5pjihrd8ib3jyr8gjsfz;120;${references.join(',')}`,
    );
  });

  test('is the one that Nix makes with the same key', () => {
    expect(signPath(key, added.referring)).toBe(byNix);
    expect(publicKeyOf(key)).toBe(publicKey);
  });

  test('does not depend on the order of the references, nor on what a store says of itself', () => {
    const { referring } = added;
    const elsewhere = {
      ...referring,
      references: referring.references.toReversed(),
      registeredAt: 5,
      ultimate: true,
    };
    expect(signPath(key, elsewhere)).toBe(byNix);
  });

  test.each<Partial<ValidPathInfo>>([
    { path: added.signed.path },
    { narHash: '0'.repeat(64) },
    { narSize: 121 },
    { references: [added.signed.path] },
  ])('is not of a path that is said to be otherwise: %j', (change) => {
    expect(verifySignature(publicKey, added.referring, byNix)).toBe(true);
    expect(verifySignature(publicKey, { ...added.referring, ...change }, byNix)).toBe(false);
  });

  test.each([
    ['another key of the same name', publicKeyOf(parseSigningKey(generateSigningKey('test-1'))), byNix],
    ['the same key with another name', publicKey.replace('test', 'other'), byNix],
    ['nothing', publicKey, ''],
    ['half of it', publicKey, byNix.slice(0, 50)],
    ['no base 64', publicKey, byNix.replace('RsV', 'R*V')],
  ])('is not accepted of %s', (_, key, signature) => {
    expect(verifySignature(key, added.referring, signature)).toBe(false);
  });

  test('of any path is accepted with the key that made it', () => {
    const made = parseSigningKey(generateSigningKey('fleet.example.org-1'));
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), (narSize, hash) => {
        const info = { ...added.referring, narSize, narHash: Buffer.from(hash).toString('hex') };
        expect(verifySignature(publicKeyOf(made), info, signPath(made, info))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});

describe('a key', () => {
  test('is made anew each time, and is the same when it is read from its file', () => {
    const text = generateSigningKey('fleet.example.org-1');
    expect(text).toMatch(/^fleet\.example\.org-1:[A-Za-z0-9+/]{86}==$/);
    expect(generateSigningKey('fleet.example.org-1')).not.toBe(text);
    const key = parseSigningKey(`${text}\n`);
    expect(key.name).toBe('fleet.example.org-1');
    expect(publicKeyOf(key)).toMatch(/^fleet\.example\.org-1:[A-Za-z0-9+/]{43}=$/);
    // The second half of the secret is the public key.
    const halves = Buffer.from(text.split(':')[1] ?? '', 'base64');
    expect(publicKeyOf(key).split(':')[1]).toBe(halves.subarray(32).toString('base64'));
  });

  test('does not show its secret when it is printed', () => {
    const shown = `${inspect(parseSigningKey(secret), { depth: 9 })}${JSON.stringify(parseSigningKey(secret))}`;
    expect(shown).not.toContain(secret.slice(7, 40));
  });

  test.each(['', 'two words', 'a:b', 'line\n'])('cannot have the name %j', (name) => {
    expect(refusal(() => generateSigningKey(name))).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  const encoded = secret.slice('test-1:'.length);
  test.each([
    ['nothing', ''],
    ['a public key', publicKey],
    ['no name', `:${encoded}`],
    ['only base 64', encoded],
    ['a byte less', `test-1:${Buffer.from(encoded, 'base64').subarray(1).toString('base64')}`],
    ['two keys', `${secret}\n${secret}`],
    ['a seed that belongs to another public key', secret.replace('AAEC', 'AAED')],
  ])('is refused of %s, and the secret is not shown', (_, text) => {
    const error = refusal(() => parseSigningKey(text));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', disposition: 'stalled' });
    expect(error.hint).toBeDefined();
    expect(`${error.message}${error.hint}${inspect(error)}`).not.toContain(encoded.slice(10, 30));
  });

  test('that is none is not taken for one that a signature is not of', () => {
    expect(refusal(() => verifySignature('nonsense', added.referring, byNix))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: '"nonsense" is no public key of Nix',
    });
  });
});
