import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { isDiskFull } from '../nix/failure-words.ts';
import type { Refused } from './send.ts';

const longest = 1_000;

/** Whether another connection to the same host may do better. */
export function isConnectionError(error: unknown): boolean {
  return error instanceof FleetError && error.code.startsWith('HOST_');
}

/** Of a host's disk, in bytes, as far as they are known. */
export interface Room {
  readonly free?: number | undefined;
  readonly needed?: number | undefined;
}

/** Why a push over a working connection failed. */
export function pushError(text: string, connection: Connection, room: Room = {}): FleetError {
  const where = `${connection.address}:${connection.port}`;
  const details = { address: where, user: connection.user };
  if (isDiskFull(text)) {
    return hostDiskFull(where, room);
  }
  if (/lacks a (?:valid )?signature|signature by a trusted key/i.test(text)) {
    return new FleetError({
      code: 'PUSH_FAILED',
      disposition: 'stalled',
      message: `${where} does not accept what ${connection.user} brings: it lacks a signature by a key that the host trusts`,
      hint: 'make a key with `varve keygen`, sign with it on the worker (worker.push.signingKey) and trust it on the host (nix.settings.trusted-public-keys); or make the deploying user a trusted one (nix.settings.trusted-users)',
      details,
    });
  }
  if (/nix-(?:daemon|store): (?:command )?not found|not found: nix-/i.test(text)) {
    return new FleetError({
      code: 'PUSH_FAILED',
      disposition: 'stalled',
      message: `${where} has no Nix on the PATH of ${connection.user}`,
      hint: 'install Nix on the host, so that `ssh host nix-daemon --version` works',
      details,
    });
  }
  return new FleetError({
    code: 'PUSH_FAILED',
    disposition: 'transient',
    message: `the push to ${where} failed: ${text.trim().slice(-longest)}`,
    details,
  });
}

/**
 * What a host's daemon refused of a push. A disk that is full is why most of it was refused, if not the first: what is
 * small may still fit, and what references the others is refused for their sake.
 * @param refused not none of it
 */
export function refusal(refused: readonly Refused[], connection: Connection, room: Room): FleetError {
  const first = refused.find(({ why }) => isDiskFull(why)) ?? refused[0];
  if (first === undefined) throw new RangeError('nothing was refused');
  const { info, why } = first;
  return pushError(why.includes(info.path) ? why : `${info.path}: ${why}`, connection, room);
}

export function hostDiskFull(where: string, { free, needed }: Room): FleetError {
  const sizes = [
    ...(needed === undefined ? [] : [`${needed} bytes are needed`]),
    ...(free === undefined ? [] : [`${free} are free`]),
  ].join(', ');
  return new FleetError({
    code: 'DISK_FULL',
    disposition: 'transient',
    message: `the disk of ${where} is full${sizes === '' ? '' : `: ${sizes}`}`,
    hint: 'make room on the host, for example with nix-collect-garbage',
    details: {
      where,
      ...(free === undefined ? {} : { freeBytes: String(free) }),
      ...(needed === undefined ? {} : { neededBytes: String(needed) }),
    },
  });
}
