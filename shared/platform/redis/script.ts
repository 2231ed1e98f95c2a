import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { talking } from './errors.ts';

/** A Lua script: Redis runs it as one act, between all others. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/**
 * Runs a script by its digest, and sends its text only where Redis does not know it yet.
 *
 * @throws FleetError STORE_UNAVAILABLE
 */
export async function runScript(
  redis: Redis,
  { lua, sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  return talking(async () => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args);
    } catch (thrown) {
      // An answer of Redis itself, before anything ran: sending the text does not run it twice.
      if (!(thrown instanceof Error) || !thrown.message.startsWith('NOSCRIPT')) throw thrown;
      return await redis.eval(lua, keys.length, ...keys, ...args);
    }
  });
}
