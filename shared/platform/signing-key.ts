import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';

import { FleetError } from '../domain/errors.ts';

/**
 * Nix's keys for signatures: Ed25519, each with a name. (The manual of Nix, "nix key"; libutil/signature/local-keys.cc)
 */
export interface SigningKey {
  /** Says which of the public keys a signature is checked with. */
  readonly name: string;
  readonly secret: KeyObject;
}

const seedBytes = 32;
const publicBytes = 32;
const signatureBytes = 64;

/**
 * A new key, as the text that is kept in a file: the name, a colon, and base 64 of the seed and the public key. It is a
 * secret.
 * @throws FleetError CONFIG_INVALID for a name that Nix would not take
 */
export function generateSigningKey(name: string): string {
  if (!isKeyName(name)) {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `${JSON.stringify(name)} cannot be the name of a signing key`,
      hint: 'use a name without blanks and colons; by custom it is a host name and a number, such as fleet.example.org-1',
    });
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '' } = privateKey.export({ format: 'jwk' });
  return formatKey(name, Buffer.concat([Buffer.from(d, 'base64url'), rawPublic(privateKey)]));
}

/** @throws FleetError CONFIG_INVALID, which does not say what the text is */
export function parseSigningKey(text: string): SigningKey {
  const key = parseKey(text, seedBytes + publicBytes);
  if (key === undefined) {
    throw noKey(
      'this is no secret key of Nix',
      'make one with `varve keygen NAME`: one line of a name, a colon, and 88 characters of base 64',
    );
  }
  const seed = key.bytes.subarray(0, seedBytes);
  const belongs = key.bytes.subarray(seedBytes);
  const secret = createPrivateKey({ key: webKey({ d: seed, x: belongs }), format: 'jwk' });
  if (!rawPublic(secret).equals(belongs)) {
    throw noKey(
      `the two halves of the secret key ${key.name} do not belong together`,
      'a part of its file is lost or changed: take it from where it was made, or make a new one',
    );
  }
  return { name: key.name, secret };
}

/** The public key, as `trusted-public-keys` of nix.conf has it. */
export function publicKeyOf(key: SigningKey): string {
  return formatKey(key.name, rawPublic(key.secret));
}

/** A signature as stores keep it: the name of the key, a colon, and base 64. The same each time. */
export function signText(key: SigningKey, text: string): string {
  return formatKey(key.name, sign(null, Buffer.from(text), key.secret));
}

/** Whether the signature is this key's, and of this text. @throws FleetError CONFIG_INVALID when the public key is none */
export function verifyText(publicKey: string, text: string, signature: string): boolean {
  const key = parseKey(publicKey, publicBytes);
  if (key === undefined) {
    throw noKey(
      `${JSON.stringify(publicKey.slice(0, 200))} is no public key of Nix`,
      'it is a name, a colon, and 44 characters of base 64: `nix key convert-secret-to-public` prints it',
    );
  }
  const signed = parseKey(signature, signatureBytes);
  if (signed === undefined || signed.name !== key.name) return false;
  const checked = createPublicKey({ key: webKey({ x: key.bytes }), format: 'jwk' });
  return verify(null, Buffer.from(text), checked, signed.bytes);
}

function isKeyName(name: string): boolean {
  return /^[^\s:]+$/.test(name);
}

function formatKey(name: string, bytes: Buffer): string {
  return `${name}:${bytes.toString('base64')}`;
}

/** Keys and signatures are written in the same way. */
function parseKey(
  text: string,
  length: number,
): { readonly name: string; readonly bytes: Buffer } | undefined {
  const [name = '', encoded = '', ...more] = text.trim().split(':');
  const bytes = Buffer.from(encoded, 'base64');
  // Node takes what is not quite base 64 as well.
  const isWhole = bytes.length === length && bytes.toString('base64') === encoded;
  return isWhole && isKeyName(name) && more.length === 0 ? { name, bytes } : undefined;
}

function rawPublic(secret: KeyObject): Buffer {
  const { x = '' } = createPublicKey(secret).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

function webKey(parts: { readonly x: Buffer; readonly d?: Buffer }): JsonWebKey {
  return {
    kty: 'OKP',
    crv: 'Ed25519',
    x: parts.x.toString('base64url'),
    ...(parts.d === undefined ? {} : { d: parts.d.toString('base64url') }),
  };
}

function noKey(message: string, hint: string): FleetError {
  return new FleetError({ code: 'CONFIG_INVALID', disposition: 'stalled', message, hint });
}
