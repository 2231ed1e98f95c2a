import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createRun } from '../../shared/platform/exec.ts';

/** What checks ask besides the host itself: a page over TLS, a Prometheus, and a command of the worker. */
export interface WatchingServices {
  /** Lines of `varve.yaml`'s `checks`. */
  readonly checks: string;
  /** `worker` in the service configuration. */
  readonly worker: { readonly commands: Readonly<Record<string, { readonly argv: readonly string[] }>> };
  /** What a worker needs to believe the page. */
  readonly workerEnvironment: { readonly NODE_EXTRA_CA_CERTS: string };
  /** What was asked for, in words of its own for each of the three. */
  asked(): Promise<ReadonlySet<string>>;
  /** From now on all three say that the host is well, or that it is not. */
  say(well: boolean): Promise<void>;
  close(): Promise<void>;
}

export async function startWatchingServices(): Promise<WatchingServices> {
  const dir = await mkdtemp(join(tmpdir(), 'varve-watching-'));
  const unwell = join(dir, 'unwell');
  const calls = join(dir, 'calls');
  const asked = new Set<string>();
  let isWell = true;
  const { key, cert, certFile } = await makeCertificate(dir);
  const page = createSecureServer({ key, cert }, ({ url }, response) => {
    asked.add(`page ${url}`);
    response.writeHead(isWell ? 200 : 503).end();
  });
  const prometheus = createServer(({ url }, response) => {
    asked.add(`prometheus ${url}`);
    const data = { resultType: 'scalar', result: [0, isWell ? '1' : '0'] };
    response.end(JSON.stringify({ status: 'success', data }));
  });
  const [pagePort, prometheusPort] = await Promise.all([page, prometheus].map(listening));
  const script = `echo "command $VARVE_HOST $1" >> ${calls}; test ! -e ${unwell}`;
  return {
    checks:
      `{ http: { url: "https://127.0.0.1:${pagePort}/health" } }, { worker: is-well }, ` +
      `{ prometheus: { url: "http://127.0.0.1:${prometheusPort}", query: is_well, equals: 1 } }`,
    worker: { commands: { 'is-well': { argv: ['sh', '-c', script, 'sh', '--strict'] } } },
    workerEnvironment: { NODE_EXTRA_CA_CERTS: certFile },
    async asked() {
      const lines = (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(Boolean);
      return new Set([...asked, ...lines]);
    },
    async say(well) {
      isWell = well;
      await (well ? rm(unwell) : writeFile(unwell, ''));
    },
    async close() {
      page.closeAllConnections();
      prometheus.closeAllConnections();
      await Promise.all([page, prometheus].map((server) => new Promise((done) => server.close(done))));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function makeCertificate(dir: string) {
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=page -addext subjectAltName=IP:127.0.0.1';
  const made = await createRun()(['openssl', ...request.split(' '), '-keyout', keyFile, '-out', certFile], {
    deadlineMs: 30_000,
  });
  if (made.code !== 0) throw new Error(made.stderrTail);
  return { key: await readFile(keyFile), cert: await readFile(certFile), certFile };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new RangeError('a server without a port');
  return address.port;
}
