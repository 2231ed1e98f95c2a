import { existsSync } from 'node:fs';

/**
 * A program must not outlive us, even if we are killed: the kernel ends it then. Where `setpriv` is missing it would
 * stay behind, and the next start says what still listens.
 */
export function withParentDeath(argv: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const setpriv = ['/usr/bin/setpriv', '/run/current-system/sw/bin/setpriv', '/bin/setpriv'].find((path) =>
    existsSync(path),
  );
  return setpriv === undefined ? argv : [setpriv, '--pdeathsig', 'TERM', ...argv];
}
