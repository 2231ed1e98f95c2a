import { FleetError } from '../../shared/domain/errors.ts';
import type { Connection } from '../../shared/domain/fleet.ts';

/** What every connection of this worker shares; from the service configuration. */
export interface SshSettings {
  /** Private keys; none: what an agent offers. */
  readonly identityFiles: readonly string[];
  /** Known hosts for those without pinned keys. */
  readonly knownHostsFile: string | undefined;
  readonly connectTimeoutMs: number;
  /** How long a connection stays open for the next push, in milliseconds; 0: not at all. */
  readonly persistMs: number;
}

/** What a socket's name may have (108 bytes), less what OpenSSH adds while it makes it. */
const longestControlPath = 90;

/** The one host that a configuration knows: nothing of a host's own data is an argument. */
export const sshAlias = 'varve-host';

export interface SshFiles {
  readonly config: string;
  readonly knownHosts: string;
}

/**
 * The contents of an OpenSSH configuration for one connection, and of its known hosts. Nothing is asked, nothing is
 * forwarded, only the pinned host keys are accepted.
 * @throws FleetError INVALID_INPUT when the connection holds what must not be written into such a file
 */
export function sshFiles(
  connection: Connection,
  settings: SshSettings,
  paths: { readonly knownHosts: string; readonly control: string },
): SshFiles {
  const pinned = connection.hostKeys.length > 0;
  const known = pinned ? paths.knownHosts : (settings.knownHostsFile ?? '/dev/null');
  const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));
  const lines = [
    `Host ${sshAlias}`,
    // OpenSSH expands percent signs, as in the zone of an IPv6 address.
    `HostName ${checked(connection.address, /^[A-Za-z0-9:][A-Za-z0-9._:%-]{0,254}$/, 'address').replaceAll('%', '%%')}`,
    `Port ${port(connection.port)}`,
    `User ${checked(connection.user, /^[A-Za-z_][A-Za-z0-9._-]{0,63}$/, 'user')}`,
    ...(pinned ? [`HostKeyAlias ${sshAlias}`] : []),
    `UserKnownHostsFile ${quoted(known)}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    'CheckHostIP no',
    'BatchMode yes',
    'PreferredAuthentications publickey',
    ...settings.identityFiles.map((file) => `IdentityFile ${quoted(file)}`),
    // An agent's keys would come first, and sshd does not hear out many.
    ...(settings.identityFiles.length > 0 ? ['IdentitiesOnly yes'] : []),
    `ConnectTimeout ${seconds(settings.connectTimeoutMs)}`,
    'ConnectionAttempts 1',
    'ServerAliveInterval 5',
    'ServerAliveCountMax 3',
    'ClearAllForwardings yes',
    'ForwardAgent no',
    'ForwardX11 no',
    'PermitLocalCommand no',
    'RequestTTY no',
    'EscapeChar none',
    'Compression no',
    'LogLevel ERROR',
    ...(settings.persistMs > 0 && Buffer.byteLength(paths.control) <= longestControlPath
      ? [
          'ControlMaster auto',
          `ControlPath ${quoted(paths.control)}`,
          `ControlPersist ${seconds(settings.persistMs)}`,
        ]
      : ['ControlMaster no', 'ControlPath none']),
  ];
  const keys = connection.hostKeys.map(
    (key) => `${sshAlias} ${checked(key, /^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]{16,4096}={0,3}$/, 'host key')}`,
  );
  return { config: `${lines.join('\n')}\n`, knownHosts: `${keys.join('\n')}\n` };
}

function checked(text: string, pattern: RegExp, what: string): string {
  if (pattern.test(text)) return text;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${JSON.stringify(text.slice(0, 80))} cannot be used as the ${what} of a connection`,
    hint: 'correct it in varve.yaml',
  });
}

function port(value: number): number {
  if (Number.isInteger(value) && value > 0 && value < 65_536) return value;
  throw new FleetError({
    code: 'INVALID_INPUT',
    disposition: 'stalled',
    message: `${value} is not a port`,
    hint: 'use a number from 1 to 65535',
  });
}

/** OpenSSH expands percent signs and takes double quotes for the ends of a word. */
function quoted(path: string): string {
  if (/["\n\r\0]/.test(path)) {
    throw new FleetError({
      code: 'CONFIG_INVALID',
      disposition: 'stalled',
      message: `${JSON.stringify(path)} cannot be used in a configuration of OpenSSH`,
      hint: 'use a path without quotes and line ends',
    });
  }
  return `"${path.replaceAll('%', '%%')}"`;
}
