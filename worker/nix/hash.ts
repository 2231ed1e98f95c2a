import { decodeNix32, encodeNix32 } from './nix32.ts';

/**
 * A SHA-256 in any of Nix's ways to write one: 64 hex digits, which may follow `sha256:`, or base 32 or 64 after it, or
 * base 64 after `sha256-`. (libutil/hash.cc; daemons answer with bare hex digits, narinfo files have base 32.)
 * @returns 64 lower-case hex digits; `undefined` when it is none of these
 */
export function parseHash(text: string): string | undefined {
  const match = /^(sha256[:-])?(.*)$/s.exec(text);
  const [, prefix, digits = ''] = match ?? [];
  if (prefix !== 'sha256-' && /^[0-9a-f]{64}$/.test(digits)) return digits;
  if (prefix === 'sha256:' && digits.length === 52) return decodeNix32(digits)?.toString('hex');
  if (prefix === undefined || digits.length !== 44) return undefined;
  const bytes = Buffer.from(digits, 'base64');
  // Node takes what is not quite base 64 as well.
  return bytes.length === 32 && bytes.toString('base64') === digits ? bytes.toString('hex') : undefined;
}

/** As Nix writes hashes for people, in narinfo files and in what it signs. @param hex 64 hex digits */
export function formatHash(hex: string): string {
  return `sha256:${encodeNix32(Buffer.from(hex, 'hex'))}`;
}
