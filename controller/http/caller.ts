import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { ApiRight } from './authorization.ts';

/** An API token as it is kept: never the token itself. */
export interface StoredToken {
  /** Who it was given to; the actor in the ledger. */
  readonly name: string;
  /** Lower-case hex of the SHA-256 of the token. */
  readonly sha256: string;
  readonly right: ApiRight;
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Compares in constant time, whatever the lengths. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

/** The token of an `Authorization: Bearer …` header. */
export function bearerToken(header: string | undefined): string | undefined {
  const match = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '');
  return match?.[1];
}

/** The stored token that was presented. Looks at every one, so that time tells nothing. */
export function findToken(tokens: readonly StoredToken[], presented: string): StoredToken | undefined {
  const digest = sha256Hex(presented);
  let found: StoredToken | undefined;
  for (const token of tokens) {
    if (sameSecret(token.sha256, digest)) found = token;
  }
  return found;
}

export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** The name in a `Host` header or origin, without port and brackets, in lower case. */
export function hostOf(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s[\]]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

/**
 * May a request say that it is for this `Host`? A web page that makes its own name point at this machine (DNS
 * rebinding) always comes with a name, so addresses are fine, and of names only `localhost` and the configured ones.
 */
export function isOwnHost(header: string | undefined, names: readonly string[]): boolean {
  const host = hostOf(header);
  if (host === undefined) return false;
  return isIP(host) !== 0 || host === 'localhost' || names.some((name) => name.toLowerCase() === host);
}

/** Does the `Host` header name the loopback itself? */
export function isLoopbackHost(header: string | undefined): boolean {
  const host = hostOf(header);
  return host === 'localhost' || isLoopbackAddress(host);
}

/** Was the request made by a web page of another origin? Programs send none of these headers. */
export function isCrossSite(headers: {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly 'sec-fetch-site'?: string | readonly string[] | undefined;
}): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin } = headers;
  if (origin === undefined) return false;
  const match = /^https?:\/\/(.+)$/i.exec(origin);
  return match?.[1] === undefined || match[1].toLowerCase() !== headers.host?.toLowerCase();
}
