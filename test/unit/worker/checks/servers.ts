import { type RequestListener, createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, type Server, createServer as createTcpServer } from 'node:net';

import { onTestFinished } from 'vitest';

/** Real servers on free ports of this machine, for as long as the test lasts. */

export async function aPage(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(() => server.closeAllConnections());
  return `http://127.0.0.1:${await listening(server)}`;
}

export async function aSecurePage(
  identity: { readonly key: string; readonly cert: string },
  listener: RequestListener,
): Promise<string> {
  return `https://127.0.0.1:${await listening(createSecureServer(identity, listener))}`;
}

export function aPort(): Promise<number> {
  return listening(createTcpServer((socket) => socket.end()));
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
