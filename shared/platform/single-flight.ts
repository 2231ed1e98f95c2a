import { FleetError } from '../domain/errors.ts';

/**
 * Runs work of one key once, however many ask for it meanwhile. Each waiter may leave by its own signal; the work is
 * aborted when the last one has left.
 */
export interface SingleFlight<Value> {
  /** @throws FleetError CANCELLED when the waiter's signal aborts; else what the work throws */
  run(
    key: string,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value>;
}

interface Flight<Value> {
  readonly end: Promise<Value>;
  readonly abort: AbortController;
  waiters: number;
}

export function createSingleFlight<Value>(): SingleFlight<Value> {
  const flights = new Map<string, Flight<Value>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<Value>): Flight<Value> => {
    const abort = new AbortController();
    const end = work(abort.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight<Value> = { end, abort, waiters: 0 };
    // A waiter that left does not listen any more.
    end.catch(() => {});
    flights.set(key, flight);
    return flight;
  };

  return {
    async run(key, signal, work) {
      if (signal?.aborted) throw cancelled(key);
      const flight = flights.get(key) ?? start(key, work);
      flight.waiters += 1;
      let leave = (): void => {};
      const left = new Promise<never>((_, reject) => {
        leave = () => reject(cancelled(key));
        signal?.addEventListener('abort', leave, { once: true });
      });
      try {
        return await Promise.race([flight.end, left]);
      } finally {
        signal?.removeEventListener('abort', leave);
        flight.waiters -= 1;
        if (flight.waiters === 0) {
          // Nobody may join work that is about to be aborted.
          if (flights.get(key) === flight) flights.delete(key);
          flight.abort.abort();
        }
      }
    },
  };
}

function cancelled(key: string): FleetError {
  return new FleetError({
    code: 'CANCELLED',
    disposition: 'transient',
    message: `${key} was given up before its end`,
  });
}
