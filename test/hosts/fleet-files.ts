import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the example fleet is in this repository: from the sources two folders up, from what was built three. */
export const exampleFleet =
  ['../../examples/fleet', '../../../examples/fleet']
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find((place) => existsSync(place)) ?? 'examples/fleet';

/** A statically linked busybox: the one program that the example's builds need. */
export const busyboxPath = '/bin/busybox';

/** What Nix needs to be told for the example fleet: no sandbox, nothing from the network. */
export const nixSettings = { sandbox: 'false', 'build-users-group': '', substituters: '' };

/** The same for `NIX_CONFIG`, with flakes. */
export const nixConfig = [
  'experimental-features = nix-command flakes',
  ...Object.entries(nixSettings).map(([name, value]) => `${name} = ${value}`),
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
