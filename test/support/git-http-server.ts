import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGunzip } from 'node:zlib';

/** What the server does instead of its work. Changed by tests between requests. */
export interface GitServerFaults {
  /** Answers this status to everything. */
  status?: number;
  /** Takes requests and never answers. */
  hang?: boolean;
  /** In listings, the first revision is given as the second. */
  pretend?: readonly [string, string];
  redirectTo?: string;
}

export interface GitHttpServer {
  readonly url: (repository: string) => string;
  readonly port: number;
  faults: GitServerFaults;
  /** `user:password` that every request must carry. */
  expected: string | undefined;
  readonly requests: { method: string; path: string; authorization: string | undefined }[];
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Serves the bare repositories of a folder over smart HTTP, by Git's own `http-backend`, on loopback. */
export async function createGitHttpServer(root: string): Promise<GitHttpServer> {
  let port = 0;
  let server = createServer(handle);
  const state: GitHttpServer = {
    url: (repository) => `http://127.0.0.1:${port}/${repository}`,
    get port() {
      return port;
    },
    faults: {},
    expected: undefined,
    requests: [],
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
    async start() {
      server = createServer(handle);
      await listen();
    },
  };

  async function listen(): Promise<void> {
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address === 'object' && address !== null) port = address.port;
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const { authorization } = request.headers;
    state.requests.push({ method: request.method ?? '', path: request.url ?? '', authorization });
    const { faults, expected } = state;
    if (faults.hang) return;
    if (faults.redirectTo !== undefined) {
      response.writeHead(302, { location: faults.redirectTo }).end();
      return;
    }
    if (faults.status !== undefined) {
      response.writeHead(faults.status).end('no');
      return;
    }
    const wanted = expected === undefined ? undefined : `Basic ${Buffer.from(expected).toString('base64')}`;
    if (wanted !== undefined && authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('who?');
      return;
    }
    backend(root, request, response, faults.pretend);
  }

  await listen();
  return state;
}

function backend(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  pretend: readonly [string, string] | undefined,
): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'tester',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const body = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
  child.stdin.on('error', () => {});
  body.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.once('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const headers: Record<string, string> = {};
    let status = 200;
    for (const line of answer.toString('latin1', 0, end).split('\r\n')) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      if (name === 'status') status = Number.parseInt(line.slice(colon + 1), 10);
      else if (colon > 0) headers[name] = line.slice(colon + 1).trim();
    }
    const content = answer.subarray(end + 4);
    const listing = !content.subarray(0, 4).equals(Buffer.from('PACK')) && !content.includes('PACK');
    const shown =
      pretend !== undefined && listing
        ? Buffer.from(content.toString('latin1').replaceAll(pretend[0], pretend[1]), 'latin1')
        : content;
    response.writeHead(status, headers).end(shown);
  });
}
