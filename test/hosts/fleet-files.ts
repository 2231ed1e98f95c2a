import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the example fleet is in this repository. */
export const exampleFleet = fileURLToPath(new URL('../../examples/fleet', import.meta.url));

/** A statically linked busybox: the one program that the example's builds need. */
export const busyboxPath = '/bin/busybox';

/** What every nix command on the example fleet runs with: flakes, no sandbox, nothing from the network. */
export const nixConfig = [
  'experimental-features = nix-command flakes',
  'sandbox = false',
  'build-users-group =',
  'substituters =',
].join('\n');

/** Copies the example fleet to a folder, and busybox into it, which is not kept in this repository. */
export async function copyFleet(folder: string): Promise<void> {
  await cp(exampleFleet, folder, { recursive: true });
  await mkdir(join(folder, 'bb/bin'), { recursive: true });
  await copyFile(busyboxPath, join(folder, 'bb/bin/busybox'));
  await writeFile(join(folder, 'bb/system'), process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux');
}

/** This process's own environment, for a command that needs some more. */
export function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([key, value]) => (value ? [[key, value]] : [])),
  );
}
