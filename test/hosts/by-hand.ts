import { run } from './command.ts';
import type { CommandResult } from './command.ts';
import { definedEnvironment, nixConfig } from './fleet-files.ts';
import type { TestHost } from './test-host.ts';

/** What a person without Varve would do, with Nix's own commands: for tests of the hosts, and to compare with. */

/** Builds the systems of some hosts from a flake's folder, and gives their toplevels. */
export async function buildToplevels(
  flake: string,
  names: readonly string[],
): Promise<Record<string, string>> {
  const attributes = names.map(
    (name) => `${flake}#nixosConfigurations."${name}".config.system.build.toplevel`,
  );
  const options = { env: nixEnvironment(), timeout: 5 * 60_000 };
  const select = `hosts: map (name: hosts.\${name}.config.system.build.toplevel.outPath) (builtins.fromJSON ${JSON.stringify(JSON.stringify(names))})`;
  // What `nix build` prints is not in the order of what it was asked for.
  const list = await run(
    [
      'nix',
      'eval',
      '--raw',
      `${flake}#nixosConfigurations`,
      '--apply',
      `hosts: builtins.concatStringsSep "\n" ((${select}) hosts)`,
    ],
    options,
  );
  await run(['nix', 'build', '--no-link', ...attributes], options);
  const outputs = list.trim().split('\n');
  return Object.fromEntries(names.map((name, index) => [name, outputs[index] ?? '']));
}

/** Copies closures to a host with `nix copy`. */
export async function copyClosures(host: TestHost, paths: readonly string[]): Promise<void> {
  const ssh = [
    ...['-i', host.privateKeyPath, '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no'],
    ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'],
  ];
  await run(['nix', 'copy', '--no-check-sigs', '--to', `ssh-ng://root@${host.address}`, ...paths], {
    env: { ...nixEnvironment(), NIX_SSHOPTS: ssh.join(' ') },
    timeout: 5 * 60_000,
  });
}

/** Runs a toplevel's `switch-to-configuration` on a host. */
export function switchTo(
  host: TestHost,
  toplevel: string,
  action: 'switch' | 'boot' | 'test' | 'dry-activate' | 'check',
  timeout?: number,
): Promise<CommandResult> {
  return host.exec(
    [`${toplevel}/bin/switch-to-configuration`, action],
    timeout === undefined ? {} : { timeout },
  );
}

/** Makes a toplevel the newest profile generation of a host. */
export async function setProfile(host: TestHost, toplevel: string): Promise<void> {
  await host.exec(['nix-env', '--profile', '/nix/var/nix/profiles/system', '--set', toplevel]);
}

function nixEnvironment(): Record<string, string> {
  return { ...definedEnvironment(), NIX_CONFIG: nixConfig };
}
