import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';

export function lost(connection: Connection, cause?: unknown): FleetError {
  return new FleetError({
    code: 'HOST_UNREACHABLE',
    disposition: 'transient',
    message: `the connection to ${connection.address} port ${connection.port} was lost`,
    cause,
  });
}

export function cancelled(): FleetError {
  return new FleetError({ code: 'CANCELLED', disposition: 'transient', message: 'cancelled' });
}
