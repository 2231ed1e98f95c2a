import type { Holder, Lease } from '../../../shared/platform/ports/lease.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import type { RedisServer } from './redis-server.ts';

/** The lease in the memory of the simulation: returns what one process sees of it. */
export function createLeaseServer(deps: { readonly scheduler: Scheduler; readonly redis: RedisServer }): {
  connect(process: SimProcess): Lease;
} {
  const { scheduler, redis } = deps;
  let held: { readonly holder: Holder; readonly until: number } | undefined;
  redis.onLose(() => {
    held = undefined;
  });
  const current = (): Holder | undefined =>
    held !== undefined && held.until > scheduler.now() ? held.holder : undefined;
  return {
    connect: (process) => ({
      hold: (holder, ttlMs) =>
        redis.call(process, 'lease hold', () => {
          const other = current();
          if (other !== undefined && other.id !== holder.id) return false;
          held = { holder, until: scheduler.now() + ttlMs };
          return true;
        }),
      holder: () => redis.call(process, 'lease holder', current),
      release: (holder) =>
        redis.call(process, 'lease release', () => {
          if (held?.holder.id === holder.id) held = undefined;
        }),
    }),
  };
}
