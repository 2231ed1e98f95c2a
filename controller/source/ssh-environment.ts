import { FleetError } from '../../shared/domain/errors.ts';

/** How a repository is reached over SSH. Whatever is not given is as the user's own SSH has it. */
export interface SshAccess {
  readonly identityFile?: string;
  /** The only known_hosts file that counts. */
  readonly knownHostsFile?: string;
}

/**
 * The environment that makes Git use SSH so. The commands are constants that a shell reads; the paths travel in
 * variables of their own. Host keys are never accepted silently.
 * @throws FleetError CONFIG_INVALID for a path that SSH itself would take apart
 */
export function sshEnvironment(access: SshAccess): Record<string, string> {
  const options = [
    '-o BatchMode=yes',
    '-o StrictHostKeyChecking=yes',
    '-o UpdateHostKeys=no',
    '-o ConnectTimeout=15',
    '-o ServerAliveInterval=10',
    '-o ServerAliveCountMax=3',
    ...(access.identityFile === undefined
      ? []
      : ['-F /dev/null', '-o IdentitiesOnly=yes', '-i "$VARVE_SSH_IDENTITY"']),
    ...(access.knownHostsFile === undefined
      ? []
      : ['-o GlobalKnownHostsFile=/dev/null', '-o UserKnownHostsFile="$VARVE_SSH_KNOWN_HOSTS"']),
  ];
  return {
    GIT_SSH_VARIANT: 'ssh',
    GIT_SSH_COMMAND: `ssh ${options.join(' ')}`,
    ...(access.identityFile === undefined ? {} : { VARVE_SSH_IDENTITY: plainPath(access.identityFile) }),
    ...(access.knownHostsFile === undefined
      ? {}
      : { VARVE_SSH_KNOWN_HOSTS: plainPath(access.knownHostsFile) }),
  };
}

/** SSH splits option values at spaces, and expands `%` and `~` in them. */
function plainPath(path: string): string {
  if (path.startsWith('/') && !/[\s\p{Cc}%~"'\\]/u.test(path)) return path;
  throw new FleetError({
    code: 'CONFIG_INVALID',
    disposition: 'stalled',
    message: `the path ${JSON.stringify(path.slice(0, 200))} cannot be given to ssh`,
    hint: 'use an absolute path without spaces, quotes, backslashes, `%` and `~`',
  });
}
