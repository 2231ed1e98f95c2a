import pLimit from 'p-limit';
import type { Client } from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import type { Channel } from './channel.ts';
import { createChannels, type StartOptions } from './channels.ts';
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

/** sshd allows 10 by default; two may wait for their next time, and some are left to others. */
const maxChannels = 6;
const defaultOutputBytes = 1024 * 1024;

export function createSession(client: Client, connection: Connection): Session {
  const limit = pLimit(maxChannels);
  // Whatever runs on it wants to know of its end.
  client.setMaxListeners(50);
  let open = true;
  const channels = createChannels(client, connection, () => open);
  client.once('close', () => {
    open = false;
  });
  return {
    connection,
    isOpen: () => open,
    roundTripMs: () => channels.roundTripMs(),
    exec: (command, options) => limit(() => exec(client, connection, command, options, () => open)),
    start: (command, options) =>
      new Promise((resolve, reject) => {
        const untilItEnds = async (): Promise<void> => {
          const channel = await channels.start(command, options);
          resolve(channel);
          await channel.ended;
        };
        limit(untilItEnds).catch(reject);
      }),
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

function timedOut(connection: Connection, deadlineMs: number): FleetError {
  return new FleetError({
    code: 'TIMED_OUT',
    disposition: 'transient',
    message: `a command on ${connection.address} did not end within ${deadlineMs} ms`,
  });
}
