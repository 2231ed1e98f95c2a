import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';

/** More was sent than is taken. */
export class ResponseTooLarge extends Error {
  override readonly name = 'ResponseTooLarge';
}

/** The server sends elsewhere; a credential does not follow. */
export class Redirected extends Error {
  override readonly name = 'Redirected';
}

/**
 * An HTTP client for isomorphic-git with what its own lacks: an end to waiting, a cap on what is read, and no
 * redirects (its credential would go along).
 */
export function createGitHttp(limits: {
  readonly requestMs: number;
  readonly maxResponseBytes: number;
}): HttpClient {
  return {
    async request({ url, method, headers, body }: GitHttpRequest): Promise<GitHttpResponse> {
      const response = await fetch(url, {
        method: method ?? 'GET',
        headers: headers ?? {},
        redirect: 'manual',
        signal: AbortSignal.timeout(limits.requestMs),
        ...(body === undefined ? {} : { body: await joined(body) }),
      });
      if (response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        throw new Redirected(`HTTP ${response.status}: it has moved; configure its present address`);
      }
      const advertisement =
        url.includes('/info/refs?') && response.status === 200 && headers?.['Git-Protocol'] === undefined;
      const stream = capped(response, limits.maxResponseBytes);
      return {
        url,
        method: method ?? 'GET',
        headers: Object.fromEntries(response.headers),
        statusCode: response.status,
        statusMessage: response.statusText,
        body: advertisement ? once(withHead(await joined(stream))) : stream,
      };
    },
  };
}

async function joined(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const part of parts) chunks.push(part);
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield bytes;
}

async function* capped(response: Response, limit: number): AsyncIterableIterator<Uint8Array> {
  if (response.body === null) return;
  let read = 0;
  for await (const part of response.body) {
    const chunk: unknown = part;
    if (!(chunk instanceof Uint8Array)) throw new TypeError('an answer that is not bytes');
    read += chunk.length;
    if (read > limit)
      throw new ResponseTooLarge(`more than ${Math.floor(limit / 1_048_576)} MiB in one answer`);
    yield chunk;
  }
}

/**
 * isomorphic-git cannot fetch from a repository whose HEAD names a branch that does not exist (a plain server's
 * default, with another branch pushed), though it has no need of HEAD. Where the advertisement has none, one is
 * named in its capabilities.
 */
export function withHead(advertisement: Buffer): Buffer {
  const text = advertisement.toString('latin1');
  const first = /([0-9a-f]{4})([0-9a-f]{40} (refs\/heads\/[^\0\n]+)\0[^\n]*)\n/.exec(text);
  if (first === null || / symref=HEAD:/.test(first[0]) || /[0-9a-f]{40} HEAD[\0\n]/.test(text))
    return advertisement;
  const [whole, , line, name] = first;
  const longer = `${line} symref=HEAD:${name}\n`;
  const length = (longer.length + 4).toString(16).padStart(4, '0');
  return Buffer.from(
    text.slice(0, first.index) + length + longer + text.slice(first.index + whole.length),
    'latin1',
  );
}
