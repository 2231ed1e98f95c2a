import { readFile } from 'node:fs/promises';

import ssh2 from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { type Credential, connect } from './connect.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { hostKeyPolicy } from './host-key.ts';
import { noWayThrough } from './jump.ts';
import { type Lent, createPool } from './pool.ts';
import { type Link, type Session, createSession } from './session.ts';
import { cancelled } from './ssh-errors.ts';

export interface SshDeps {
  /** Files of private keys without a passphrase, tried in this order, before the agent. */
  readonly keyFiles: readonly string[];
  readonly agentSocket?: string | undefined;
  /** Decides about hosts whose connection pins no keys. */
  readonly knownHostsFile?: string | undefined;
  /** Until logged in; default 10 s. */
  readonly connectDeadlineMs?: number;
  /** How long an unused connection is kept; default 60 s. */
  readonly idleMs?: number;
  /** A server that misses three of these in a row is gone; default 2 s. */
  readonly keepaliveMs?: number;
}

export interface DialOptions {
  readonly signal?: AbortSignal;
  /** Instead of the configured one. */
  readonly deadlineMs?: number;
}

/** Connections to hosts. All methods throw what `connect` throws, and CONFIG_INVALID for unusable keys. */
export interface Ssh {
  /** A shared connection, opened when there is none; `close` gives it back. */
  pooled(connection: Connection, options?: DialOptions): Promise<Session>;
  /**
   * A TCP connection of its own to the host: what the confirmation of an activation needs. The one to its jump host may be
   * shared.
   */
  fresh(connection: Connection, options?: DialOptions): Promise<Session>;
  /** The first of the candidates that answers, pooled. The error of the first one if none does. */
  firstReachable(candidates: readonly Connection[], options?: DialOptions): Promise<Session>;
  /** Fingerprints of the keys that prove who we are, as sshd writes them. */
  ownKeys(): Promise<ReadonlySet<string>>;
  /** Ends all connections. */
  close(): void;
}

export function createSsh(deps: SshDeps): Ssh {
  const all = new Set<Session>();
  let closed = false;
  const longest = deps.connectDeadlineMs ?? 10_000;

  const open = async (
    connection: Connection,
    { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Link> => {
    const until = performance.now() + deadlineMs;
    const [credentials, knownHosts] = await Promise.all([
      readCredentials(deps),
      readKnownHosts(deps.knownHostsFile),
    ]);
    const jump = await jumpFor(connection, { deadlineMs, signal });
    try {
      const client = await connect({
        connection,
        carrier: jump && (() => jump.link.carry(connection)),
        credentials,
        policy: hostKeyPolicy(connection, knownHosts),
        deadlineMs: Math.max(1, until - performance.now()),
        keepaliveMs: deps.keepaliveMs ?? 2_000,
        signal,
      });
      const link = createSession(client, connection);
      all.add(link);
      client.once('close', () => {
        all.delete(link);
        jump?.giveBack();
      });
      if (closed) {
        link.close();
        throw cancelled();
      }
      return link;
    } catch (thrown) {
      jump?.giveBack();
      throw thrown;
    }
  };

  const pool = createPool(open, deps.idleMs ?? 60_000);

  // Shared, also by what must be fresh: what a confirmation proves is that its own host takes a new connection and lets
  // us in, and that is made anew from the jump host on. Whether the jump host takes new ones is for its own
  // confirmation to prove; while it is switched, the connection that is there holds out longest.
  const jumpFor = async (
    connection: Connection,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Lent | undefined> => {
    if (connection.via === undefined) return undefined;
    return pool.lend(connection.via, options).catch((thrown: unknown) => {
      throw thrown instanceof FleetError && thrown.code.startsWith('HOST_')
        ? noWayThrough(connection, thrown)
        : thrown;
    });
  };

  const fresh = (connection: Connection, options: DialOptions = {}): Promise<Session> =>
    open(connection, { deadlineMs: longest, ...options });

  const pooled = async (connection: Connection, options: DialOptions = {}): Promise<Session> => {
    const { link, giveBack } = await pool.lend(connection, { deadlineMs: longest, ...options });
    return {
      connection,
      isOpen: () => link.isOpen(),
      roundTripMs: () => link.roundTripMs(),
      exec: (command, execOptions) => link.exec(command, execOptions),
      start: (command, startOptions) => link.start(command, startOptions),
      close: giveBack,
    };
  };

  return {
    pooled,
    fresh,
    async firstReachable(candidates, options) {
      let first: unknown;
      for (const candidate of candidates) {
        try {
          return await pooled(candidate, options);
        } catch (thrown) {
          first ??= thrown;
          if (options?.signal?.aborted) throw thrown;
        }
      }
      if (first instanceof Error) throw first;
      throw noCandidate();
    },
    ownKeys: async () => fingerprintsOf(await readCredentials(deps)),
    close() {
      closed = true;
      pool.close();
      for (const session of all) session.close();
    },
  };
}

async function readCredentials(deps: SshDeps): Promise<readonly Credential[]> {
  const keys = await Promise.all(deps.keyFiles.map(readKey));
  const agent = deps.agentSocket;
  return agent === undefined ? keys : [...keys, { kind: 'agent', socket: agent }];
}

async function readKey(path: string): Promise<Credential> {
  const unusable = (cause: unknown): FleetError =>
    new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `the SSH key ${path} cannot be used`,
      hint: 'give a private key in OpenSSH format without a passphrase, or put it into an agent',
      cause,
    });
  const privateKey = await readFile(path).catch((thrown: unknown) => {
    throw unusable(thrown);
  });
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw unusable(parsed);
  return { kind: 'key', privateKey };
}

async function readKnownHosts(path: string | undefined): Promise<string> {
  if (path === undefined) return '';
  return readFile(path, 'utf8').catch((thrown: unknown) => {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `the known_hosts file ${path} cannot be read`,
      hint: 'make the file, or leave it out of the configuration and pin the host keys in varve.yaml',
      cause: thrown,
    });
  });
}

function noCandidate(): FleetError {
  return new FleetError({
    code: 'HOST_UNREACHABLE',
    disposition: 'waiting',
    message: 'nothing says how to reach the host',
    hint: 'give the host an address in varve.yaml',
  });
}
