import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { isDiskFull } from '../nix/failure-words.ts';

const longest = 1_000;

/** Whether another connection to the same host may do better. */
export function isConnectionError(error: unknown): boolean {
  return error instanceof FleetError && error.code.startsWith('HOST_');
}

/** Why a push over a working connection failed. */
export function pushError(text: string, connection: Connection, free: number | undefined): FleetError {
  const where = `${connection.address}:${connection.port}`;
  const details = { address: where, user: connection.user };
  if (isDiskFull(text)) {
    return hostDiskFull(where, free, undefined);
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

export function hostDiskFull(
  where: string,
  free: number | undefined,
  needed: number | undefined,
): FleetError {
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
