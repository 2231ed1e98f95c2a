import type { Holder, Lease } from '../../../shared/platform/ports/lease.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import type { RedisServer } from './redis-server.ts';

export interface LeaseServer {
  connect(process: SimProcess): Lease;
  /** It is gone, and nobody has been told. */
  lose(): void;
}

/** The lease in the memory of the simulation: returns what one process sees of it. */
export function createLeaseServer(deps: {
  readonly scheduler: Scheduler;
  readonly redis: RedisServer;
}): LeaseServer {
  const { scheduler, redis } = deps;
  let held: { readonly holder: Holder; readonly until: number } | undefined;
  function lose(): void {
    held = undefined;
  }
  redis.onLose(lose);
  const current = (): Holder | undefined =>
    held !== undefined && held.until > scheduler.now() ? held.holder : undefined;
  return {
    lose,
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
