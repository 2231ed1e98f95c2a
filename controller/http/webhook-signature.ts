import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Is `header` (`sha256=<hex>`) the HMAC-SHA256 of these bytes under one of the secrets? In constant time over all of
 * them, so that a secret can be changed by having the old and the new one for a while.
 */
export function isSignedBy(
  secrets: readonly string[],
  body: Uint8Array,
  header: string | readonly string[] | undefined,
): boolean {
  const hex = typeof header === 'string' ? /^sha256=([0-9a-f]{64})$/i.exec(header.trim())?.[1] : undefined;
  if (hex === undefined) return false;
  const presented = Buffer.from(hex, 'hex');
  let signed = false;
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(body).digest();
    // An empty secret signs nothing.
    if (timingSafeEqual(expected, presented) && secret !== '') signed = true;
  }
  return signed;
}
