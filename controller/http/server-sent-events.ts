import type { FastifyReply } from 'fastify';

/** One open stream of server-sent events. */
export interface EventStream {
  send(event: { readonly id: string; readonly name: string; readonly data: unknown }): void;
  /** Ends the stream, as the server wants it. */
  end(): void;
  /** Called once, whoever ended it. */
  onClose(callback: () => void): void;
}

/** A reader that leaves this much unread is cut off: it comes back with `Last-Event-ID`. */
const maxUnreadBytes = 1024 * 1024;
const pingEveryMs = 15_000;

/** Takes the connection over from the framework and makes it a stream. */
export function openEventStream(
  reply: FastifyReply,
  options: { readonly pingMs?: number } = {},
): EventStream {
  reply.hijack();
  const raw = reply.raw;
  const closers: (() => void)[] = [];
  let open = true;

  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    connection: 'keep-alive',
  });
  raw.write('retry: 2000\n\n');
  const ping = setInterval(() => write(': ping\n\n'), options.pingMs ?? pingEveryMs);
  ping.unref();

  function close(): void {
    if (!open) return;
    open = false;
    clearInterval(ping);
    for (const closer of closers) closer();
  }
  raw.on('close', close);
  raw.on('error', close);

  function write(text: string): void {
    if (!open) return;
    raw.write(text);
    if (raw.writableLength > maxUnreadBytes) raw.destroy();
  }

  return {
    send(event) {
      write(`id: ${event.id}\nevent: ${event.name}\ndata: ${JSON.stringify(event.data)}\n\n`);
    },
    end() {
      if (!open) return;
      raw.end();
      close();
    },
    onClose(callback) {
      if (open) closers.push(callback);
      else callback();
    },
  };
}

/** The id that a reader saw last: the header of a browser, or a query parameter of the same meaning. */
export function lastEventId(
  header: string | readonly string[] | undefined,
  query: string | undefined,
): string | undefined {
  const id = typeof header === 'string' ? header : query;
  return id !== undefined && /^[0-9A-Za-z-]{1,80}$/.test(id) ? id : undefined;
}
