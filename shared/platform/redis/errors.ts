import { FleetError } from '../../domain/errors.ts';

/** Redis is down, hangs, or refuses for a reason of its own. Whether a write was done is not known then. */
export function storeUnavailable(cause: unknown): FleetError {
  return new FleetError({
    code: 'STORE_UNAVAILABLE',
    disposition: 'transient',
    message: 'Redis is not available',
    hint: 'see that Redis runs and can be reached; what is under way on hosts goes on without it',
    cause,
  });
}

/** Runs what talks to Redis; whatever goes wrong there becomes STORE_UNAVAILABLE. */
export async function talking<Value>(act: () => Promise<Value>): Promise<Value> {
  try {
    return await act();
  } catch (thrown) {
    throw thrown instanceof FleetError ? thrown : storeUnavailable(thrown);
  }
}
