/**
 * Makes the constant command that runs a constant program as root: as it is where the user may write Nix's state,
 * through `sudo` where not. Both levels are single-quoted, so the user's login shell changes nothing in them.
 * The program must hold no single quote, and no data: that comes through stdin.
 */
export function asRoot(program: string): string {
  if (program.includes("'")) throw new RangeError('a remote program cannot hold single quotes');
  return `exec /bin/sh -c '${elevate}' varve '${program}'`;
}

const elevate = [
  'if [ -w /nix/var/nix/profiles ] || [ -w / ]; then eval "$1"; exit; fi',
  'PATH=/run/wrappers/bin:/run/current-system/sw/bin:/usr/bin:/bin',
  'exec sudo -n /bin/sh -c "$1"',
].join('\n');
