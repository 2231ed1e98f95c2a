import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../shared/platform/logger.ts';
import {
  type RedisConnections,
  connectRedis,
  parseRedisAddress,
} from '../../shared/platform/redis/client.ts';
import { type EmbeddedRedis, startEmbeddedRedis } from '../../shared/platform/redis/embedded.ts';

export const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quiet,
};

/** A Redis of a test's own, which can be killed, brought back, and brought back empty. */
export interface PrivateRedis {
  readonly address: string;
  readonly folder: string;
  pid(): number | undefined;
  /** A connection that is ready; closed with the rest. */
  connect(name?: string): Promise<RedisConnections>;
  /** SIGKILL: nothing is saved on the way out. */
  down(): Promise<void>;
  /** Comes back on the same socket with the data that it had. */
  up(): Promise<void>;
  /** Comes back on the same socket without any data. */
  upEmpty(): Promise<void>;
  close(): Promise<void>;
}

export async function startPrivateRedis(): Promise<PrivateRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-redis-'));
  let server: EmbeddedRedis = await startEmbeddedRedis({ folder, logger: quiet });
  const address = server.address;
  const connections: RedisConnections[] = [];

  async function up(): Promise<void> {
    server = await startEmbeddedRedis({ folder, logger: quiet });
  }

  return {
    address,
    folder,
    pid: () => server.pid(),
    async connect(name = 'test') {
      const connection = connectRedis({ address: parseRedisAddress(address), logger: quiet, name });
      connections.push(connection);
      await connection.ready(10_000);
      return connection;
    },
    async down() {
      const pid = server.pid();
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      await server.ended();
    },
    up,
    async upEmpty() {
      await rm(join(folder, 'appendonlydir'), { recursive: true, force: true });
      await up();
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
