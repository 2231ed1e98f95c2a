import { readFile } from 'node:fs/promises';

import ssh2 from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { type Credential, connect } from './connect.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { hostKeyPolicy } from './host-key.ts';
import { type Session, createSession } from './session.ts';
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
  /** A TCP connection of its own: what the confirmation of an activation needs. */
  fresh(connection: Connection, options?: DialOptions): Promise<Session>;
  /** The first of the candidates that answers, pooled. The error of the first one if none does. */
  firstReachable(candidates: readonly Connection[], options?: DialOptions): Promise<Session>;
  /** Fingerprints of the keys that prove who we are, as sshd writes them. */
  ownKeys(): Promise<ReadonlySet<string>>;
  /** Ends all connections. */
  close(): void;
}

interface Pooled {
  readonly session: Promise<Session>;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

export function createSsh(deps: SshDeps): Ssh {
  const pool = new Map<string, Pooled>();
  const all = new Set<Session>();
  let closed = false;

  const fresh = async (connection: Connection, options: DialOptions = {}): Promise<Session> => {
    const [credentials, knownHosts] = await Promise.all([
      readCredentials(deps),
      readKnownHosts(deps.knownHostsFile),
    ]);
    const client = await connect({
      connection,
      credentials,
      policy: hostKeyPolicy(connection, knownHosts),
      deadlineMs: options.deadlineMs ?? deps.connectDeadlineMs ?? 10_000,
      keepaliveMs: deps.keepaliveMs ?? 2_000,
      signal: options.signal,
    });
    const session = createSession(client, connection);
    all.add(session);
    client.once('close', () => all.delete(session));
    if (closed) {
      session.close();
      throw cancelled();
    }
    return session;
  };

  const pooled = async (connection: Connection, options: DialOptions = {}): Promise<Session> => {
    const key = JSON.stringify([connection.address, connection.port, connection.user, connection.hostKeys]);
    let entry = pool.get(key);
    if (entry === undefined) {
      // Without the caller's signal: others may be waiting for the same connection.
      const { deadlineMs } = options;
      entry = {
        session: fresh(connection, deadlineMs === undefined ? {} : { deadlineMs }),
        users: 0,
        idle: undefined,
      };
      pool.set(key, entry);
    }
    const mine = entry;
    clearTimeout(mine.idle);
    mine.users += 1;
    const drop = (): void => {
      if (pool.get(key) === mine) pool.delete(key);
    };
    const giveBack = (session: Session): void => {
      mine.users -= 1;
      if (mine.users > 0) return;
      const end = (): void => {
        drop();
        session.close();
      };
      if (!session.isOpen() || pool.get(key) !== mine) end();
      else mine.idle = setTimeout(end, deps.idleMs ?? 60_000).unref();
    };
    const session = await mine.session.catch((thrown: unknown) => {
      drop();
      throw thrown;
    });
    if (!session.isOpen()) {
      // It died unnoticed since it was last used.
      drop();
      return pooled(connection, options);
    }
    let given = false;
    return {
      connection,
      isOpen: () => session.isOpen(),
      roundTripMs: () => session.roundTripMs(),
      exec: (command, execOptions) => session.exec(command, execOptions),
      start: (command, startOptions) => session.start(command, startOptions),
      close() {
        if (given) return;
        given = true;
        giveBack(session);
      },
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
      for (const entry of pool.values()) clearTimeout(entry.idle);
      pool.clear();
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
