import type { Duplex } from 'node:stream';

import type { Client } from 'ssh2';

/** A server that was asked for a sign of life so often since it said anything is gone. */
const mostUnanswered = 3;

/**
 * Ends a connection whose server says nothing any more. Whatever it says is a sign of life: on a slow line the answer to a
 * keepalive comes only after the megabytes that were sent before it, but all that time it says that it takes them.
 * @param everyMs how often the client asks
 */
export function endWhenSilent(client: Client, carrier: Duplex, everyMs: number): void {
  // Turns, not time: after a pause of this process what has come meanwhile is read first.
  let unanswered = 0;
  carrier.on('data', () => {
    unanswered = 0;
  });
  const timer = setInterval(() => {
    unanswered += 1;
    if (unanswered <= mostUnanswered) return;
    client.destroy();
    // One that was ended here already, and whose server never ends it, is destroyed by nobody else.
    carrier.destroy();
  }, everyMs);
  client.once('close', () => clearInterval(timer));
}
