/**
 * Makes the constant command that runs a constant program as root: as it is where the user may write Nix's state,
 * through `sudo` where not. Both levels are single-quoted, so the user's login shell changes nothing in them.
 * The program must hold no single quote, and no data: that comes through stdin.
 */
export function asRoot(program: string): string {
  return `exec /bin/sh -c ${quoted(elevate)} varve ${quoted(program)}`;
}

/**
 * Makes the constant command that runs a constant program as the user who logs in, in a POSIX shell whatever the login
 * shell is. The program may run the privileged one as root: `as_root` is its name there.
 */
export function asUser(program: string, privileged: string): string {
  const whole = [
    'privileged=$1 elevate=$2',
    'as_root() { /bin/sh -c "$elevate" varve "$privileged"; }',
    program,
  ].join('\n');
  return `exec /bin/sh -c ${quoted(whole)} varve ${quoted(privileged)} ${quoted(elevate)}`;
}

const elevate = [
  'if [ -w /nix/var/nix/profiles ] || [ -w / ]; then eval "$1"; exit; fi',
  'PATH=/run/wrappers/bin:/run/current-system/sw/bin:/usr/bin:/bin',
  'exec sudo -n /bin/sh -c "$1"',
].join('\n');

function quoted(program: string): string {
  if (program.includes("'")) throw new RangeError('a remote program cannot hold single quotes');
  return `'${program}'`;
}
