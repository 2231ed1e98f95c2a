import pLimit from 'p-limit';
import type { Client, ClientChannel } from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import type { Channel } from './channel.ts';
import { createChannels, type StartOptions } from './channels.ts';
import { carryTo, openFailureOf } from './jump.ts';
import { unlessAborted } from './patience.ts';
import { cancelled, lost } from './ssh-errors.ts';

export interface ExecOptions {
  /** Sent, then standard input is closed. Without it, it is closed at once. */
  readonly stdin?: string | Uint8Array;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Of standard output and standard error each; more is dropped. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Every whole line of standard output, as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface ExecResult {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** One SSH connection to a host. */
export interface Session {
  readonly connection: Connection;
  /**
   * Runs a command: a constant of the program, never made of data, which goes through stdin.
   * @throws FleetError HOST_UNREACHABLE (also when the channel ended without an exit status), TIMED_OUT, CANCELLED
   */
  exec(command: string, options: ExecOptions): Promise<ExecResult>;
  /**
   * Starts a command that is talked to while it runs, until it ends or the signal ends it. All of several at once cost
   * two round trips.
   * @throws FleetError HOST_UNREACHABLE, CANCELLED
   */
  start(command: string, options: StartOptions): Promise<Channel>;
  /** As `Channels.roundTripMs`. */
  roundTripMs(): number;
  isOpen(): boolean;
  /** Gives it back (pooled) or ends it (fresh). */
  close(): void;
}

/** One connection as the pool has it. */
export interface Link extends Session {
  /**
   * A way from there to the SSH port of another host.
   * @throws FleetError HOST_UNREACHABLE
   */
  carry(to: Connection): Promise<ClientChannel>;
  /** Whether the server has said that it runs no more commands for this connection. */
  isFull(): boolean;
}

/**
 * sshd allows 10 by default, and counts those that have ended until it has looked after all that it was told in one go:
 * so all of these may be there twice for a moment, and two wait for their next time.
 */
const maxChannels = 4;
const defaultOutputBytes = 1024 * 1024;

export function createSession(client: Client, connection: Connection): Link {
  const limit = pLimit(maxChannels);
  // Whatever runs on it wants to know of its end.
  client.setMaxListeners(50);
  let open = true;
  let full = false;
  const channels = createChannels(client, connection, () => open);
  // What was given up counts for sshd as long as it runs there: a host may have no room although we have.
  const orFull = async <Value>(work: Promise<Value>): Promise<Value> =>
    work.catch((thrown: unknown) => {
      if (isRefusedChannel(thrown)) full = true;
      throw thrown;
    });
  client.once('close', () => {
    open = false;
  });
  return {
    connection,
    isOpen: () => open,
    roundTripMs: () => channels.roundTripMs(),
    isFull: () => full,
    carry: (to) => (open ? carryTo(client, connection, to) : Promise.reject(lost(connection))),
    exec(command, options) {
      const run = limit(() => exec(client, connection, command, options, () => open));
      return unlessAborted(orFull(run), options.signal);
    },
    start(command, options) {
      const started = new Promise<Channel>((resolve, reject) => {
        const untilItEnds = async (): Promise<void> => {
          const channel = await channels.start(command, options);
          resolve(channel);
          await channel.ended;
        };
        limit(untilItEnds).catch(reject);
      });
      return unlessAborted(orFull(started), options.signal);
    },
    close() {
      open = false;
      client.end();
    },
  };
}

function exec(
  client: Client,
  connection: Connection,
  command: string,
  options: ExecOptions,
  isOpen: () => boolean,
): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    if (!isOpen()) {
      reject(lost(connection));
      return;
    }
    let end: (() => void) | undefined;
    let settled = false;
    const settle = (act: () => void): void => {
      settled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      client.removeListener('close', onClose);
      act();
    };
    const fail = (error: FleetError): void => settle(() => (end?.(), reject(error)));
    const onAbort = (): void => fail(cancelled());
    const onClose = (): void => fail(lost(connection));
    const timer = setTimeout(() => fail(timedOut(connection, options.deadlineMs)), options.deadlineMs);
    client.once('close', onClose);
    if (options.signal?.aborted) {
      onAbort();
      return;
    }
    options.signal?.addEventListener('abort', onAbort, { once: true });

    try {
      client.exec(command, (error, channel) => {
        if (error) {
          fail(lost(connection, error));
          return;
        }
        if (settled) {
          // Given up before it had begun: what it reads from ends without a word.
          channel.on('error', () => {});
          channel.close();
          return;
        }
        end = () => channel.close();
        const stdout = collect(options.maxOutputBytes ?? defaultOutputBytes, options.onLine);
        const stderr = collect(options.maxOutputBytes ?? defaultOutputBytes);
        let exit: { code: number | undefined; signal: string | undefined } | undefined;
        channel.on('data', stdout.add);
        channel.stderr.on('data', stderr.add);
        channel.on('error', () => {});
        channel.on('exit', (code: number | null, signal?: string) => {
          exit = { code: code ?? undefined, signal };
        });
        channel.on('close', () => {
          stdout.finish();
          if (exit === undefined) fail(lost(connection));
          else {
            const ended = exit;
            settle(() => resolve({ ...ended, stdout: stdout.text(), stderr: stderr.text() }));
          }
        });
        channel.end(options.stdin);
      });
    } catch (thrown) {
      fail(lost(connection, thrown));
    }
  });
}

function collect(maxBytes: number, onLine?: (line: string) => void) {
  const parts: Buffer[] = [];
  let size = 0;
  let line = '';
  const decoder = new TextDecoder();
  const feed = (text: string): void => {
    const pieces = (line + text).split('\n');
    line = (pieces.pop() ?? '').slice(-maxBytes);
    for (const piece of pieces) onLine?.(piece);
  };
  return {
    add: (chunk: Buffer): void => {
      const kept = chunk.subarray(0, Math.max(0, maxBytes - size));
      if (kept.length > 0) parts.push(kept);
      size += kept.length;
      if (onLine !== undefined) feed(decoder.decode(chunk, { stream: true }));
    },
    finish: (): void => {
      if (line !== '') onLine?.(line);
      line = '';
    },
    text: (): string => Buffer.concat(parts).toString('utf8'),
  };
}

function isRefusedChannel(thrown: unknown): boolean {
  return thrown instanceof FleetError && openFailureOf(thrown.cause) !== undefined;
}

function timedOut(connection: Connection, deadlineMs: number): FleetError {
  return new FleetError({
    code: 'TIMED_OUT',
    disposition: 'transient',
    message: `a command on ${connection.address} did not end within ${deadlineMs} ms`,
  });
}
