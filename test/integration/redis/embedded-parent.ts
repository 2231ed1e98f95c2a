/* A program that has an embedded Redis, counts its starts there, says the server's process number, and waits. */
import { connectRedis, parseRedisAddress } from '../../../shared/platform/redis/client.ts';
import { startEmbeddedRedis } from '../../../shared/platform/redis/embedded.ts';
import { quiet } from '../../support/redis.ts';

const server = await startEmbeddedRedis({ folder: process.argv[2] ?? '', logger: quiet });
const redis = connectRedis({ address: parseRedisAddress(server.address), logger: quiet, name: 'parent' });
await redis.ready(10_000);
await redis.commands.incr('starts');
process.stdout.write(`${server.pid()}\n`);
setInterval(() => {}, 60_000);
