import type { Server } from 'node:http';
import type { Socket } from 'node:net';

import type { FastifyHttpOptions, FastifyInstance } from 'fastify';

/** What whoever reaches the cache may take up of the worker. */
export interface CacheLimits {
  /** All that are open; one more is refused. A Nix opens 25 of them, and tries again where it is refused. */
  readonly connections: number;
  /** Until a request is there, from when its connection is: it has no body. */
  readonly requestMs: number;
  /** How long a connection is kept for another request. */
  readonly idleMs: number;
  /** Whoever takes nothing for so long of what is sent is given up: Nix waits as long for one who sends nothing. */
  readonly stallMs: number;
}

export const usualCacheLimits: CacheLimits = {
  connections: 1_000,
  requestMs: 30_000,
  idleMs: 60_000,
  stallMs: 300_000,
};

/** The part of the limits that the server keeps by itself. */
export function serverOptions({ requestMs, idleMs, stallMs }: CacheLimits): FastifyHttpOptions<Server> {
  return {
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    connectionTimeout: stallMs,
    http: {
      headersTimeout: requestMs,
      // How often requests are looked at.
      connectionsCheckingInterval: Math.min(30_000, Math.ceil(requestMs / 2)),
    },
  };
}

/** Keeps the rest of them: nobody is given up who waits for us. */
export function keepLimits(app: FastifyInstance, { connections }: CacheLimits): void {
  const { server } = app;
  server.maxConnections = connections;
  const answered = new WeakSet<Socket>();
  app.addHook('onRequest', async ({ raw }) => void answered.add(raw.socket));
  app.addHook('onResponse', async ({ raw }) => void answered.delete(raw.socket));
  // Nothing has moved on it for too long.
  server.on('timeout', (socket: Socket) => {
    const waitsForUs = answered.has(socket) && socket.writableLength === 0;
    if (!waitsForUs) socket.destroy();
  });
}
