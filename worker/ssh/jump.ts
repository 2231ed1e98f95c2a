import type { Client, ClientChannel } from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { lost, placeOf, unreachable } from './ssh-errors.ts';

/** What RFC 4254 calls the reasons for not opening a channel. */
const prohibited = 1;
const connectFailed = 2;

/**
 * Asks a jump host for a TCP connection to the SSH port of another. All that goes through it is encrypted between here
 * and there: the jump host sees who talks to whom, and how much.
 * @throws FleetError HOST_UNREACHABLE
 */
export function carryTo(jump: Client, from: Connection, to: Connection): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    try {
      jump.forwardOut('127.0.0.1', 0, to.address, to.port, (error, channel) => {
        if (error === undefined) return resolve(channel);
        reject(meaningOf(error, from, to));
      });
    } catch (thrown) {
      reject(noWayThrough(to, lost(from, thrown)));
    }
  });
}

function meaningOf(error: Error, from: Connection, to: Connection): FleetError {
  switch (openFailureOf(error)) {
    case undefined:
      return noWayThrough(to, lost(from, error));
    case connectFailed:
      return unreachable(to, `the jump host says: ${wordsOf(error)}`, error);
    case prohibited:
      return new FleetError({
        code: 'HOST_UNREACHABLE',
        disposition: 'transient',
        message: `${placeOf(from)} lets ${from.user} through to no other host, so ${to.address} port ${to.port} cannot be reached`,
        hint:
          'on the jump host, allow that user TCP forwarding to it: AllowTcpForwarding and PermitOpen in sshd_config, ' +
          'and no `restrict` or `no-port-forwarding` in the authorized keys',
        details: { where: 'jump' },
        cause: error,
      });
    default:
      return noWayThrough(to, unreachable(from, wordsOf(error), error));
  }
}

/** The reason that the server gave for not opening a channel; `undefined`: it gave none. */
export function openFailureOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('reason' in error)) return undefined;
  return typeof error.reason === 'number' ? error.reason : undefined;
}

/** What a server said, which may be anything. */
function wordsOf(error: Error): string {
  return error.message
    .replace(/^\(SSH\) Channel open failure: /, '')
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 200);
}

/** Nothing has been heard of the host itself: its jump host is the trouble. */
export function noWayThrough(to: Connection, error: FleetError): FleetError {
  const { code, disposition, message, hint, details } = error;
  return new FleetError({
    code,
    disposition,
    message: `no way to ${to.address} port ${to.port} through its jump host: ${message}`,
    ...(hint === undefined ? {} : { hint }),
    details: { where: 'jump', ...details },
    cause: error,
  });
}
