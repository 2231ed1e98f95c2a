import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

import { delayLine, type DelayLine } from './delay-line.ts';

export type Direction = 'to-server' | 'to-client';

/**
 * A long way to a server, on one machine: a port of the loopback address whose connections lead to the server, with the
 * round-trip time of a real line. It has no loss and no limit of bandwidth, so it shows what round trips cost, and
 * nothing else.
 */
export interface DelayProxy {
  readonly address: string;
  readonly port: number;
  /** What has come out at the far end so far, over all connections, in bytes. */
  carried(direction: Direction): number;
  /** How many connections were made so far. */
  connections(): number;
  /** Ends all connections now, with what is on its way in them; new ones are welcome. Gives how many there were. */
  cut(): number;
  /** Does the same once so many more bytes have come out; not one more does. Resolves when that has happened. */
  cutAfter(bytes: number, direction: Direction): Promise<void>;
  /** Nothing moves until `thaw`, as on a line that is dead without anybody being told. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

interface Connected {
  readonly client: Socket;
  readonly server: Socket | undefined;
  readonly lines: readonly DelayLine[];
}

export async function startDelayProxy(options: {
  readonly target: { readonly address: string; readonly port: number };
  readonly roundTripMs: number;
}): Promise<DelayProxy> {
  const { target, roundTripMs } = options;
  const open = new Set<Connected>();
  const waiting = new Set<NodeJS.Timeout>();
  const held: (() => void)[] = [];
  const carried: Record<Direction, number> = { 'to-server': 0, 'to-client': 0 };
  let limit: { readonly direction: Direction; readonly at: number; readonly reached: () => void } | undefined;
  let connections = 0;
  let frozen = false;

  const cut = (): number => {
    const ended = open.size;
    for (const { client, server, lines } of open) {
      for (const line of lines) line.drop();
      client.destroy();
      server?.destroy();
    }
    open.clear();
    return ended;
  };

  /** How much of so many bytes may come out; what comes out is counted, and the last that may ends the connections. */
  const allowance = (direction: Direction) => ({
    take(bytes: number): number {
      const left = limit?.direction === direction ? limit.at - carried[direction] : Infinity;
      const taken = Math.min(bytes, left);
      carried[direction] += taken;
      return taken;
    },
    taken(): void {
      if (limit?.direction !== direction || carried[direction] < limit.at) return;
      const { reached } = limit;
      limit = undefined;
      cut();
      reached();
    },
  });

  const lead = (client: Socket): void => {
    if (client.destroyed) return;
    const server = createConnection({
      host: target.address,
      port: target.port,
      noDelay: true,
      allowHalfOpen: true,
    });
    const connected: Connected = {
      client,
      server,
      lines: [
        delayLine({ from: client, to: server, delayMs: roundTripMs / 2, ...allowance('to-server') }),
        delayLine({ from: server, to: client, delayMs: roundTripMs / 2, ...allowance('to-client') }),
      ],
    };
    open.add(connected);
    if (frozen) for (const line of connected.lines) line.freeze();
    const forgetWhenDone = (): void => {
      if (client.destroyed && server.destroyed) open.delete(connected);
    };
    client.once('close', forgetWhenDone);
    server.once('close', forgetWhenDone);
  };

  const listener = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    connections += 1;
    const early: Connected = { client, server: undefined, lines: [] };
    open.add(early);
    // What goes wrong with it is told by its end.
    client.on('error', () => {});
    const go = (): void => {
      if (frozen) {
        held.push(go);
        return;
      }
      open.delete(early);
      lead(client);
    };
    if (roundTripMs === 0) {
      go();
      return;
    }
    // The client's system takes it for connected at once. On a real line the greeting of TCP takes a round trip, and the
    // server knows half of one later.
    const greeting = setTimeout(() => {
      waiting.delete(greeting);
      go();
    }, 1.5 * roundTripMs);
    waiting.add(greeting);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const at = listener.address();
  if (typeof at !== 'object' || at === null) throw new Error('the proxy has no port');

  return {
    address: '127.0.0.1',
    port: at.port,
    carried: (direction) => carried[direction],
    connections: () => connections,
    cut,
    cutAfter: (bytes, direction) =>
      new Promise((reached) => {
        limit = { direction, at: carried[direction] + bytes, reached };
      }),
    freeze() {
      frozen = true;
      for (const { lines } of open) for (const line of lines) line.freeze();
    },
    thaw() {
      frozen = false;
      for (const { lines } of open) for (const line of lines) line.thaw();
      for (const go of held.splice(0)) go();
    },
    async close() {
      for (const greeting of waiting) clearTimeout(greeting);
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
