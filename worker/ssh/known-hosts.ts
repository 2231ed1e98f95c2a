import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a known_hosts file says about one server. */
export interface KnownKeys {
  /** `type base64`. */
  readonly accepted: readonly string[];
  /** Never to be accepted, whatever else says so. */
  readonly revoked: readonly string[];
}

/**
 * Looks a server up in the text of a known_hosts file: hashed names, patterns, `[name]:port`, `@revoked`. Lines of
 * certificate authorities are left out: host certificates are not supported.
 */
export function lookUp(knownHosts: string, address: string, port: number): KnownKeys {
  const name = port === 22 ? address : `[${address}]:${port}`;
  const accepted: string[] = [];
  const revoked: string[] = [];
  for (const raw of knownHosts.split('\n')) {
    const words = raw.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) continue;
    const marker = words[0].startsWith('@') ? words.shift() : undefined;
    const [names, type, key] = words;
    if (names === undefined || type === undefined || key === undefined) continue;
    if (!matches(names, name.toLowerCase())) continue;
    if (marker === undefined) accepted.push(`${type} ${key}`);
    else if (marker === '@revoked') revoked.push(`${type} ${key}`);
  }
  return { accepted, revoked };
}

function matches(names: string, name: string): boolean {
  if (names.startsWith('|1|')) return hashMatches(names, name);
  let found = false;
  for (const pattern of names.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!globMatches(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

function hashMatches(hashed: string, name: string): boolean {
  const [, , salt, hash] = hashed.split('|');
  if (salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** `*` and `?` only, in linear steps: no pattern of the file becomes a regular expression. */
function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let retry = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p;
      retry = t;
      p += 1;
    } else if (pattern[p] === '?' || pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      retry += 1;
      t = retry;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
