/** Counts requests by key (an address), so that one sender cannot take all. */
export interface RateLimiter {
  /** False: too many. Costs one of the key's requests otherwise. */
  take(key: string): boolean;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Token buckets: `burst` requests at once, refilled at `perMinute`. At most `maxKeys` are remembered: the one that
 * was used longest ago is forgotten first, which only ever helps a sender that has been quiet.
 */
export function createRateLimiter(deps: {
  readonly now: () => number;
  readonly perMinute: number;
  readonly burst: number;
  readonly maxKeys?: number;
}): RateLimiter {
  const buckets = new Map<string, Bucket>();
  const maxKeys = deps.maxKeys ?? 10_000;
  return {
    take(key) {
      const now = deps.now();
      const old = buckets.get(key) ?? { tokens: deps.burst, at: now };
      const refilled = Math.min(deps.burst, old.tokens + ((now - old.at) / 60_000) * deps.perMinute);
      const allowed = refilled >= 1;
      buckets.delete(key);
      buckets.set(key, { tokens: allowed ? refilled - 1 : refilled, at: now });
      if (buckets.size > maxKeys) {
        const oldest = buckets.keys().next();
        if (!oldest.done) buckets.delete(oldest.value);
      }
      return allowed;
    },
  };
}
