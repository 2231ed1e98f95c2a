import type { Client } from 'ssh2';

import type { Connection } from '../../shared/domain/fleet.ts';
import { type Channel, openChannel } from './channel.ts';
import { cancelled, lost } from './ssh-errors.ts';

export interface StartOptions {
  readonly signal: AbortSignal;
  /**
   * The same command will be wanted again: when this one has ended another one is started, and waits for its input.
   * Whoever comes then saves two round trips.
   */
  readonly again?: boolean;
}

/** The commands of one connection that are talked to while they run. */
export interface Channels {
  /** Of a message and its answer, in milliseconds: the shortest that was seen. Infinity before anything was started. */
  roundTripMs(): number;
  /** @throws FleetError HOST_UNREACHABLE, CANCELLED */
  start(command: string, options: StartOptions): Promise<Channel>;
}

export function createChannels(client: Client, connection: Connection, isOpen: () => boolean): Channels {
  const waiting = new Map<string, Promise<Channel>>();
  let roundTripMs = Infinity;

  const open = async (command: string): Promise<Channel> => {
    const began = performance.now();
    const channel = await openChannel(client, connection, command);
    // Two: it asks for a channel, and then for the command.
    roundTripMs = Math.min(roundTripMs, (performance.now() - began) / 2);
    return channel;
  };

  const prepare = (command: string): void => {
    if (waiting.has(command) || !isOpen()) return;
    const channel = open(command);
    waiting.set(command, channel);
    const forget = (): void => {
      if (waiting.get(command) === channel) waiting.delete(command);
    };
    channel.then(({ ended }) => ended).then(forget, forget);
  };

  const take = async (command: string): Promise<Channel | undefined> => {
    const channel = waiting.get(command);
    waiting.delete(command);
    return channel?.catch(() => undefined);
  };

  return {
    roundTripMs: () => roundTripMs,
    async start(command, { signal, again }) {
      if (!isOpen()) throw lost(connection);
      const opening = take(command).then((channel) => channel ?? open(command));
      const channel = await unlessAborted(opening, signal);
      const close = (): void => channel.close();
      signal.addEventListener('abort', close, { once: true });
      void channel.ended.then(() => {
        signal.removeEventListener('abort', close);
        if (again === true) prepare(command);
      });
      return channel;
    },
  };
}

/** A host that does not answer keeps nobody waiting who does not want it any more. */
function unlessAborted(opening: Promise<Channel>, signal: AbortSignal): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(cancelled());
      opening.then(
        (channel) => channel.close(),
        () => {},
      );
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
