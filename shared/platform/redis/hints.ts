import type { Hints } from '../ports/hints.ts';
import type { RedisConnections } from './client.ts';
import { keysOf } from './keys.ts';

const everyMs = 50;

export function createRedisHints(deps: { readonly redis: RedisConnections; readonly fleet: string }): Hints {
  const channel = keysOf(deps.fleet)('look');
  return {
    async tell() {
      await deps.redis.commands.publish(channel, '').catch(() => 0);
    },
    listen: (callback) => deps.redis.subscriptions.listen(channel, everyMs, callback),
  };
}
