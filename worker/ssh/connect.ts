import { Socket } from 'node:net';

import ssh2, { type AnyAuthMethod, type Client, type ClientChannel } from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { gatherWrites } from './gather-writes.ts';
import { type HostKeyPolicy, hostKeyMismatch } from './host-key.ts';
import { endWhenSilent } from './liveness.ts';
import { cancelled, noAnswer, placeOf, unreachable } from './ssh-errors.ts';

/** What proves who we are. Tried in this order. */
export type Credential =
  | { readonly kind: 'key'; readonly privateKey: Buffer }
  | { readonly kind: 'agent'; readonly socket: string };

export interface ConnectOptions {
  readonly connection: Connection;
  /** Gets to the host's SSH port, where a jump host is in between. Without it: over TCP from here. */
  readonly carrier?: (() => Promise<ClientChannel>) | undefined;
  readonly policy: HostKeyPolicy;
  readonly credentials: readonly Credential[];
  /** From the first packet to being logged in. */
  readonly deadlineMs: number;
  readonly keepaliveMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A new TCP connection to the host's SSH port, logged in.
 * @throws FleetError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_MISMATCH, HOST_AUTH_FAILED, CANCELLED
 */
export function connect(options: ConnectOptions): Promise<Client> {
  const { connection, policy, signal } = options;
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    let refusal: FleetError | undefined;
    let settled = false;
    const finish = (act: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    const fail = (error: FleetError): void =>
      finish(() => {
        client.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(cancelled());
    const timer = setTimeout(() => fail(noAnswer(connection, options.deadlineMs)), options.deadlineMs);
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener('abort', onAbort, { once: true });

    // Stays for the life of the connection: an error without a listener would end the process.
    client.on('error', (error) => fail(refusal ?? meaningOf(error, connection)));
    client.on('close', () => fail(refusal ?? unreachable(connection, 'the server closed the connection')));
    client.on('ready', () => {
      client.setNoDelay(true);
      finish(() => resolve(client));
    });
    const start = (carrier: Socket | ClientChannel): void => {
      client.on('ready', () => endWhenSilent(client, carrier, options.keepaliveMs));
      client.connect({
        sock: carrier,
        username: connection.user,
        readyTimeout: options.deadlineMs + 1_000,
        keepaliveInterval: options.keepaliveMs,
        // Whether it has answered is not all that tells: `endWhenSilent`.
        keepaliveCountMax: Infinity,
        algorithms: {
          serverHostKey: policy.algorithms,
          kex: [
            'curve25519-sha256',
            'curve25519-sha256@libssh.org',
            'ecdh-sha2-nistp256',
            'diffie-hellman-group16-sha512',
          ],
          cipher: [
            'aes128-gcm@openssh.com',
            'aes256-gcm@openssh.com',
            'chacha20-poly1305@openssh.com',
            'aes256-ctr',
            'aes128-ctr',
          ],
          hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256'],
          compress: ['none'],
        },
        hostVerifier: (key: Buffer) => {
          refusal = policy.judge(key);
          return refusal === undefined;
        },
        authHandler: options.credentials.map((credential) => authMethod(connection.user, credential)),
      });
    };
    const begin = async (): Promise<void> => {
      const through = await options.carrier?.();
      // Who has given up by now connects to nothing any more.
      if (settled) through?.destroy();
      else start(through ?? overTcp(connection));
    };
    begin().catch((thrown: unknown) =>
      fail(
        thrown instanceof FleetError
          ? thrown
          : unreachable(connection, 'the connection could not be set up', thrown),
      ),
    );
  });
}

function overTcp({ address, port }: Connection): Socket {
  return gatherWrites(new Socket().connect({ host: address, port }));
}

function authMethod(username: string, credential: Credential): AnyAuthMethod {
  return credential.kind === 'key'
    ? { type: 'publickey', username, key: credential.privateKey }
    : { type: 'agent', username, agent: credential.socket };
}

function meaningOf(error: Error & { level?: string; code?: string }, connection: Connection): FleetError {
  if (error.level === 'client-authentication') {
    return new FleetError({
      code: 'HOST_AUTH_FAILED',
      disposition: 'stalled',
      message: `${placeOf(connection)} let nobody in as ${connection.user}`,
      hint: 'add the public half of the service’s SSH key to the authorized keys of that user',
      cause: error,
    });
  }
  if (/no matching host key/i.test(error.message)) return hostKeyMismatch(connection, undefined);
  if (error.level === 'agent' || oursAlone.has(error.code ?? '')) return notTried(connection, error);
  return unreachable(connection, error.code ?? error.message, error);
}

/** Errors of this machine that no host can cause: its name service, its network, its descriptors. */
const oursAlone: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ENETDOWN',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
]);

/** Says nothing about the host: it was never asked. */
function notTried(connection: Connection, error: Error & { code?: string }): FleetError {
  return new FleetError({
    code: 'HOST_UNREACHABLE',
    disposition: 'transient',
    message: `${placeOf(connection)} cannot be reached from this worker: ${error.code ?? error.message}`,
    hint: 'see to the worker: its name service, its network, its SSH agent',
    details: { where: 'worker' },
    cause: error,
  });
}
