import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';

/** `address port n`, and through which jump hosts. */
export function placeOf({ address, port, via }: Connection): string {
  const end = `${address} port ${port}`;
  return via === undefined ? end : `${end} through ${placeOf(via)}`;
}

export function lost(connection: Connection, cause?: unknown): FleetError {
  return new FleetError({
    code: 'HOST_UNREACHABLE',
    disposition: 'transient',
    message: `the connection to ${placeOf(connection)} was lost`,
    cause,
  });
}

/** Whether it says that there is no connection: it could not be made, or it was lost. */
export function isUnreachable(thrown: unknown): boolean {
  return thrown instanceof FleetError && thrown.code === 'HOST_UNREACHABLE';
}

export function unreachable(connection: Connection, why: string, cause?: unknown): FleetError {
  return new FleetError({
    code: 'HOST_UNREACHABLE',
    disposition: 'transient',
    message: `${placeOf(connection)} cannot be reached: ${why}`,
    cause,
  });
}

export function noAnswer(connection: Connection, deadlineMs: number): FleetError {
  return unreachable(connection, `no answer within ${Math.round(deadlineMs)} ms`);
}

export function cancelled(): FleetError {
  return new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'cancelled' });
}
