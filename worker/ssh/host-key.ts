import type { ServerHostKeyAlgorithm } from 'ssh2';

import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';
import { type KnownKeys, lookUp } from './known-hosts.ts';
import { placeOf } from './ssh-errors.ts';

/** Decides about the key that a server shows, before anything is sent to it. */
export interface HostKeyPolicy {
  /** What to ask the server for: only keys of a pinned type, so that it shows one that can be judged. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  /** `undefined`: accepted. */
  judge(key: Buffer): FleetError | undefined;
}

const preferred: ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/**
 * `type base64` of a key as it is on the wire: a length, the type, the rest. People are told to paste it: what no key is
 * called, a stranger at the other end made up.
 */
export function hostKeyText(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  const type = key.subarray(4, 4 + length).toString('latin1');
  return `${/^[a-z0-9@.-]{1,64}$/.test(type) ? type : 'unknown'} ${key.toString('base64')}`;
}

/** Keys pinned in the connection decide alone; without any, the known_hosts text does. Never accepts silently. */
export function hostKeyPolicy(connection: Connection, knownHosts: string): HostKeyPolicy {
  const known = lookUp(knownHosts, connection.address, connection.port);
  const accepted = connection.hostKeys.length > 0 ? connection.hostKeys.map(normal) : known.accepted;
  return {
    algorithms: algorithmsFor(accepted),
    judge: (key) => judge(hostKeyText(key), accepted, known, connection),
  };
}

function judge(
  shown: string,
  accepted: readonly string[],
  known: KnownKeys,
  connection: Connection,
): FleetError | undefined {
  const where = placeOf(connection);
  if (known.revoked.includes(shown)) {
    return new FleetError({
      code: 'HOST_KEY_MISMATCH',
      disposition: 'stalled',
      message: `${where} shows a host key that is revoked`,
      hint: 'the service’s known_hosts revokes this key: give the host a new one',
      details: { shown },
    });
  }
  if (accepted.includes(shown)) return undefined;
  if (accepted.length === 0) return unknownHostKey(connection, shown);
  return hostKeyMismatch(connection, shown);
}

export function unknownHostKey(connection: Connection, shown: string): FleetError {
  return new FleetError({
    code: 'HOST_KEY_UNKNOWN',
    disposition: 'stalled',
    message: `nothing says which host key ${placeOf(connection)} should have`,
    hint: `compare it with the host's own, then put it in varve.yaml, under the host: hostKeys: ["${shown}"]`,
    details: { shown },
  });
}

export function hostKeyMismatch(connection: Connection, shown: string | undefined): FleetError {
  return new FleetError({
    code: 'HOST_KEY_MISMATCH',
    disposition: 'stalled',
    message: `${placeOf(connection)} shows another host key than the expected one; nothing was sent`,
    hint: 'if the host was given a new key, put that one in varve.yaml; if not, somebody may be in between',
    ...(shown === undefined ? {} : { details: { shown } }),
  });
}

/** Type and key, without the comment that people paste along. */
function normal(key: string): string {
  return key.trim().split(/\s+/).slice(0, 2).join(' ');
}

function algorithmsFor(accepted: readonly string[]): ServerHostKeyAlgorithm[] {
  if (accepted.length === 0) return [...preferred];
  const types = new Set(accepted.map((key) => key.split(' ')[0]));
  const wanted = preferred.filter((name) => types.has(name.startsWith('rsa-sha2') ? 'ssh-rsa' : name));
  return wanted.length > 0 ? wanted : [...preferred];
}
