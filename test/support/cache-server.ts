import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';

/** A server that keeps what is PUT to it, and gives it to whoever asks. */
export interface CacheServer {
  readonly url: string;
  /** By path, without the first slash. */
  readonly files: Map<string, Buffer>;
  /** Methods and paths, as they came. */
  readonly requests: string[];
  /** Paths that were PUT, in the order in which they were whole. */
  readonly put: string[];
  close(): Promise<void>;
}

/** Says whether a request may pass. Who gives no name may read, as hosts do. */
export type Gate = (request: IncomingMessage, body: Buffer) => boolean;

export async function startCacheServer(
  gate: Gate = () => true,
  {
    address = '127.0.0.1',
    port = 0,
    files = new Map<string, Buffer>(),
  }: {
    readonly address?: string;
    readonly port?: number;
    /** What it has already. */
    readonly files?: Map<string, Buffer>;
  } = {},
): Promise<CacheServer> {
  const requests: string[] = [];
  const put: string[] = [];
  const server = createServer((request, answer) => {
    const path = (request.url ?? '').slice(1);
    requests.push(`${request.method} ${path}`);
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const file = files.get(path);
      const reads = request.method === 'GET' || request.method === 'HEAD';
      const mayPass = (reads && request.headers.authorization === undefined) || gate(request, body);
      if (!mayPass) answer.writeHead(403).end();
      else if (request.method === 'PUT') {
        // As S3, which takes nothing of unknown length.
        const isWhole = request.headers['content-length'] === String(body.length);
        if (isWhole) {
          files.set(path, body);
          put.push(path);
        }
        answer.writeHead(isWhole ? 200 : 411).end();
      } else if (file === undefined) answer.writeHead(404).end();
      else
        answer.writeHead(200, { 'content-length': file.length }).end(request.method === 'HEAD' ? '' : file);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  const bound = server.address();
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    url: `http://127.0.0.1:${boundPort}`,
    files,
    requests,
    put,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Checks a request as S3 does: its signature is computed anew from all that was signed, and its body is what it was said to
 * be. (Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header")
 */
export function s3Gate(keys: {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
}): Gate {
  const hmac = (key: string | Buffer, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest();
  const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
  return (request, body) => {
    const header = (name: string): string => String(request.headers[name] ?? '');
    const [, id, scope = '', signed = '', signature] =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
        header('authorization'),
      ) ?? [];
    const at = header('x-amz-date');
    const day = at.slice(0, 8);
    if (id !== keys.accessKeyId || scope !== `${day}/${keys.region}/s3/aws4_request`) return false;
    if (header('x-amz-security-token') !== (keys.sessionToken ?? '')) return false;
    const names = signed.split(';');
    const all = ['host', ...Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))];
    if (all.some((name) => !names.includes(name))) return false;
    if (
      Math.abs(Date.now() - Date.parse(at.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5'))) > 900_000
    ) {
      return false;
    }
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const canonical = [
      request.method,
      path,
      query,
      ...names.map((name) => `${name}:${header(name)}`),
      '',
      signed,
      header('x-amz-content-sha256'),
    ].join('\n');
    const toSign = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n');
    const key = ['s3', 'aws4_request'].reduce(
      hmac,
      hmac(hmac(`AWS4${keys.secretAccessKey}`, day), keys.region),
    );
    return hmac(key, toSign).toString('hex') === signature && sha256(body) === header('x-amz-content-sha256');
  };
}
