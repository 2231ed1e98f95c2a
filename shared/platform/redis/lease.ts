import type { Holder, Lease } from '../ports/lease.ts';
import type { RedisConnections } from './client.ts';
import { talking } from './errors.ts';
import { keysOf } from './keys.ts';
import { runScript, script } from './script.ts';

/** KEYS lease; ARGV holder, ttl. */
const holdScript = script(`
local present = redis.call('GET', KEYS[1])
if present and present ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** KEYS lease; ARGV holder. */
const releaseScript = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);

/** A key that expires. Redis's own clock counts the time, so that holders need not agree on theirs. */
export function createRedisLease(deps: { readonly redis: RedisConnections; readonly fleet: string }): Lease {
  const redis = deps.redis.commands;
  const key = keysOf(deps.fleet)('lease');
  return {
    async hold(holder, ttlMs) {
      return (await runScript(redis, holdScript, [key], [encode(holder), Math.ceil(ttlMs)])) === 1;
    },
    async holder() {
      const text = await talking(() => redis.get(key));
      return text === null ? undefined : decode(text);
    },
    async release(holder) {
      await runScript(redis, releaseScript, [key], [encode(holder)]);
    },
  };
}

/** Ids have no blanks. */
function encode({ name, id }: Holder): string {
  return `${id} ${name}`;
}

function decode(text: string): Holder {
  const blank = text.indexOf(' ');
  return { id: text.slice(0, blank), name: text.slice(blank + 1) };
}
