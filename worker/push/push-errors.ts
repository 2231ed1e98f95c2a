import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { isDiskFull } from '../nix/failure-words.ts';

const longest = 1_000;

/** What OpenSSH's own words mean; `undefined` when the connection is not to blame. */
export function connectionError(text: string, connection: Connection): FleetError | undefined {
  const where = `${connection.address}:${connection.port}`;
  const details = { address: where, user: connection.user };
  const last = lastLine(text);
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|offending .* key|REVOKED HOST KEY/i.test(text)) {
    return hostKeyMismatch(where, details);
  }
  if (/no \S+ host key is known for|host key verification failed/i.test(text)) {
    return connection.hostKeys.length > 0
      ? hostKeyMismatch(where, details)
      : new FleetError({
          code: 'HOST_KEY_UNKNOWN',
          disposition: 'stalled',
          message: `no host key is known for ${where}`,
          hint: 'run `varve host scan-key <host>`, compare what it prints with the host, and add it to varve.yaml',
          details,
        });
  }
  if (/permission denied \(|too many authentication failures|no mutual signature/i.test(text)) {
    return new FleetError({
      code: 'HOST_AUTH_FAILED',
      disposition: 'stalled',
      message: `${where} refuses ${connection.user}: ${last}`,
      hint: "add the worker's public key to the host's configuration, for this user",
      details,
    });
  }
  if (unreachable.test(text)) {
    return new FleetError({
      code: 'HOST_UNREACHABLE',
      disposition: 'transient',
      message: `${where} cannot be reached: ${last}`,
      details,
    });
  }
  return undefined;
}

const unreachable =
  /connection (?:refused|timed out|reset|closed)|no route to host|could not resolve|network is unreachable|broken pipe|lost connection|host is (?:down|unreachable)|kex_exchange_identification|banner exchange|timeout, server .* not responding|mux_client|operation timed out|cannot connect to|unexpected end-of-file|nar.*end of file/i;

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
      hint: 'sign on the worker (secret-key-files) and trust the key on the host (nix.settings.trusted-public-keys), or make the deploying user a trusted one (nix.settings.trusted-users)',
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

function hostKeyMismatch(where: string, details: Readonly<Record<string, string>>): FleetError {
  return new FleetError({
    code: 'HOST_KEY_MISMATCH',
    disposition: 'stalled',
    message: `${where} shows a host key that is not the pinned one`,
    hint: 'if the host was installed anew, pin its new key (`varve host scan-key <host>`); if not, somebody stands in between',
    details,
  });
}

function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? '').trim().slice(0, 300);
}
