import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { run } from '../hosts/command.ts';
import type { ConfigRepo } from '../hosts/config-repo.ts';
import { definedEnvironment, nixConfig } from '../hosts/fleet-files.ts';
import type { TestHost } from '../hosts/test-host.ts';

/** What `nix build --json` prints for one attribute. */
const Built = z.tuple([z.object({ outputs: z.object({ out: z.string() }) })]);

/** What a person does without Varve, as fast as it goes: one command after the other, nothing checked but exit codes. */

/** Brings a host to a toplevel that it has: one ssh for the switch, a fresh one that confirms it. */
export async function activateByHand(host: TestHost, toplevel: string): Promise<void> {
  const act = [
    `${toplevel}/bin/switch-to-configuration test`,
    `nix-env --profile /nix/var/nix/profiles/system --set ${toplevel}`,
    `${toplevel}/bin/switch-to-configuration boot`,
  ].join(' && ');
  await overSsh(host, act);
  const current = (await overSsh(host, 'readlink /run/current-system')).trim();
  if (current !== toplevel) throw new Error(`${host.name} runs ${current}, not ${toplevel}`);
}

/** A checkout of the config repository that is built from by hand. */
export interface HandCheckout {
  /** Commits a change, without telling anybody. */
  prepare(path: string, from: RegExp, to: string): Promise<void>;
  /** `nix build`, `nix copy`, and the activation. */
  deploy(host: TestHost): Promise<void>;
}

export async function handCheckout(dir: string, repo: ConfigRepo): Promise<HandCheckout> {
  await mkdir(dir, { recursive: true });
  const folder = join(dir, 'by-hand');
  await run(['git', 'clone', '--quiet', repo.remote, folder]);
  const env = { ...definedEnvironment(), NIX_CONFIG: nixConfig };
  return {
    async prepare(path, from, to) {
      const file = join(folder, path);
      const text = await readFile(file, 'utf8');
      if (!from.test(text)) throw new Error(`${path} has nothing like ${from}`);
      await writeFile(file, text.replace(from, to));
      const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org'];
      await run(['git', ...who, 'commit', '--quiet', '--all', '--message', to], { cwd: folder });
    },
    async deploy(host) {
      const attribute = `${folder}#nixosConfigurations."${host.name}".config.system.build.toplevel`;
      const built = await run(['nix', 'build', '--no-link', '--json', attribute], { env, timeout: 300_000 });
      const toplevel = Built.parse(JSON.parse(built))[0].outputs.out;
      await run(['nix', 'copy', '--no-check-sigs', '--to', `ssh-ng://root@${host.address}`, toplevel], {
        env: { ...env, NIX_SSHOPTS: sshOptions(host.privateKeyPath, host.port).join(' ') },
        timeout: 300_000,
      });
      await activateByHand(host, toplevel);
    },
  };
}

function overSsh(host: TestHost, command: string): Promise<string> {
  return run(['ssh', ...sshOptions(host.privateKeyPath, host.port), `root@${host.address}`, command], {
    timeout: 120_000,
  });
}

/** Options of the OpenSSH client for hosts that are not known: nothing is asked, nothing is remembered. */
export function sshOptions(keyFile: string, port: number): readonly string[] {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ];
  return ['-i', keyFile, '-o', `Port=${port}`, ...options.flatMap((option) => ['-o', option])];
}
