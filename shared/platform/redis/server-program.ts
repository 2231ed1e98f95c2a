import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { FleetError } from '../../domain/errors.ts';

/** In this order: all speak the same protocol. */
const programs = ['valkey-server', 'redis-server', 'keydb-server'] as const;

/** The server's program. @throws FleetError PROGRAM_MISSING, with a line for each kind of system */
export async function findServer(path: string): Promise<string> {
  const program = await firstOnPath(programs, path);
  if (program === undefined) throw noServer();
  return program;
}

/** The first of these programs that is on the path and can be run. Only absolute folders count. */
export async function firstOnPath(names: readonly string[], path: string): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of path.split(delimiter)) {
      if (!folder.startsWith('/')) continue;
      const file = join(folder, name);
      const runnable = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (runnable) return file;
    }
  }
  return undefined;
}

function noServer(): FleetError {
  return new FleetError({
    code: 'PROGRAM_MISSING',
    disposition: 'stalled',
    message: `no Redis server on PATH (${programs.join(', ')})`,
    hint: [
      'install one, or give --redis URL:',
      '  Debian, Ubuntu:  apt-get install redis-server',
      '  NixOS, Nix:      nix profile install nixpkgs#valkey',
      '  Fedora:          dnf install valkey',
      '  Arch:            pacman -S valkey',
      '  macOS:           brew install valkey',
    ].join('\n'),
  });
}
