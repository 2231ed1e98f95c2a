import type { Client, ClientChannel } from 'ssh2';

import type { Connection } from '../../shared/domain/fleet.ts';
import { createComplaint } from './complaint.ts';
import { lost } from './ssh-errors.ts';

/** A command on a host that is talked to while it runs. */
export interface Channel {
  /** What it says. Ends when it does, and when the connection is lost. */
  readonly output: AsyncIterable<Uint8Array>;
  /**
   * Sends, and resolves when the connection has taken it all: the bytes may be overwritten then. Pieces of 32 KiB and
   * more: small ones cost far more time than their bytes do.
   * @throws FleetError HOST_UNREACHABLE when the command or the connection is gone
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more will come. */
  end(): void;
  /** The last of what it said on its standard error: lines that are safe to show, without blank ones. */
  complaint(): string;
  /** False as soon as its end is known here, with what it said read or not. */
  isRunning(): boolean;
  /** How it ended; `lost` when nobody knows. Not before all that it said is read. */
  readonly ended: Promise<ChannelEnd>;
  /** Gives it up, if it still runs. */
  close(): void;
}

export type ChannelEnd =
  | { readonly kind: 'exited'; readonly code: number | undefined; readonly signal: string | undefined }
  | { readonly kind: 'lost' };

/**
 * Starts a command: a constant of the program, as for `Session.exec`.
 * @throws FleetError HOST_UNREACHABLE
 */
export function openChannel(client: Client, connection: Connection, command: string): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown): void => {
      client.removeListener('close', fail);
      reject(lost(connection, cause));
    };
    client.once('close', fail);
    try {
      client.exec(command, (error, opened) => {
        if (error) return fail(error);
        client.removeListener('close', fail);
        resolve(talkOver(opened, client, connection));
      });
    } catch (thrown) {
      fail(thrown);
    }
  });
}

function talkOver(opened: ClientChannel, client: Client, connection: Connection): Channel {
  const complaint = createComplaint();
  let exit: ChannelEnd | undefined;
  let over = false;
  let cut = (): void => {};
  /** Without it whoever reads would wait for a host that does not answer any more. */
  const isCut = new Promise<undefined>((resolve) => {
    cut = () => resolve(undefined);
  });
  let finish = (): void => {};
  const ended = new Promise<ChannelEnd>((resolve) => {
    finish = () => {
      over = true;
      client.removeListener('close', drop);
      resolve(exit ?? { kind: 'lost' });
    };
  });
  const drop = (): void => {
    cut();
    finish();
  };
  const close = (): void => {
    if (over) return;
    opened.close();
    drop();
  };
  opened.once('close', () => finish());
  // A connection that dies takes its channels with it, not all of which say so.
  client.once('close', drop);
  opened.on('error', () => {});
  opened.on('exit', (code: number | null, name?: string) => {
    exit = { kind: 'exited', code: code ?? undefined, signal: name };
  });
  opened.stderr.on('data', complaint.add);
  return {
    output: until(isCut, opened.iterator({ destroyOnReturn: false })),
    async write(bytes) {
      if (over) throw lost(connection);
      const taken = new Promise<void>((resolve) => void opened.write(bytes, () => resolve()));
      await Promise.race([taken, ended]);
      if (over) throw lost(connection);
    },
    end: () => {
      if (!over) opened.end();
    },
    complaint: complaint.text,
    isRunning: () => !over && exit === undefined,
    ended,
    close,
  };
}

async function* until(
  isCut: Promise<undefined>,
  output: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const next = await Promise.race([output.next(), isCut]);
    if (next === undefined || next.done === true) return;
    yield next.value;
  }
}
