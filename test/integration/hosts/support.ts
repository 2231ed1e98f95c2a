import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';

import { buildToplevels, copyClosures } from '../../hosts/by-hand.ts';
import { makeConfigRepo } from '../../hosts/config-repo.ts';
import type { Lab } from '../../hosts/lab.ts';
import type { TestHost } from '../../hosts/test-host.ts';

/** Builds a system per entry (name → the host's Nix file) and copies all of them to a host. Gives their toplevels. */
export async function systemsOn<Name extends string>(
  lab: Lab,
  host: TestHost,
  files: Record<Name, string>,
): Promise<Record<Name, string>> {
  const repo = await makeConfigRepo({
    dir: await mkdtemp(join(lab.dir, 'config-')),
    hosts: [host],
    authorizedKeys: [lab.publicKey],
  });
  const names = Object.keys(files);
  const edits = Object.fromEntries(
    Object.entries<string>(files).map(([name, text]) => [`hosts/${name}.nix`, text]),
  );
  await repo.commit('Systems to try', edits);
  const toplevels = await buildToplevels(repo.workDir, names);
  await copyClosures(host, Object.values(toplevels));
  const result = { ...files };
  for (const name in files) result[name] = toplevels[name] ?? '';
  return result;
}

/** What a shell line prints on a host, without the last line's end. */
export async function shell(host: TestHost, line: string): Promise<string> {
  const { stdout } = await host.exec(['sh', '-c', line]);
  return stdout.trimEnd();
}

export interface Pointers {
  readonly current: string;
  readonly booted: string;
  readonly profile: string;
  readonly bootDefault: string;
}

/** Which toplevels a host runs, was booted with, has as its profile, and would boot. */
export async function pointers(host: TestHost): Promise<Pointers> {
  const text = await shell(
    host,
    'readlink -e /run/current-system; readlink -e /run/booted-system; readlink -e /nix/var/nix/profiles/system; cat /boot/default',
  );
  const [current = '', booted = '', profile = '', bootDefault = ''] = text.split('\n');
  return { current, booted, profile, bootDefault };
}
