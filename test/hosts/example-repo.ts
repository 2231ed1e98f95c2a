import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from './command.ts';
import { makeConfigRepo, type ConfigRepo } from './config-repo.ts';
import type { Lab } from './lab.ts';
import type { TestHost } from './test-host.ts';

export interface ExampleRepo {
  readonly repo: ConfigRepo;
  /** A configuration for `ssh -F`, with a name for every host. */
  readonly sshConfig: string;
}

/** Makes the config repository of an example, for a person to work in: `fleet`, and its remote `fleet.git`. */
export async function makeExampleRepo(deps: {
  readonly folder: string;
  readonly lab: Lab;
  /** The API that a push tells to look. */
  readonly url: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<ExampleRepo> {
  const { folder, lab } = deps;
  const hosts = [...lab.hosts.values()];
  const repo = await makeConfigRepo({
    dir: folder,
    names: { workDir: 'fleet', remote: 'fleet.git' },
    hosts,
    authorizedKeys: [lab.publicKey],
    manifest: manifest(hosts),
  });
  // A person may have no name in Git yet, and says `git push` without more.
  await repo.git('config', 'user.name', deps.env['SUDO_USER'] ?? deps.env['USER'] ?? 'you');
  await repo.git('config', 'user.email', 'you@example.org');
  await repo.git('branch', '--quiet', `--set-upstream-to=origin/${repo.branch}`);
  await writeFile(join(repo.remote, 'hooks', 'post-receive'), hook(deps.url), { mode: 0o755 });
  await chmod(join(repo.remote, 'hooks', 'post-receive'), 0o755);
  const ssh = await writeSshFiles(folder, lab, hosts);
  const owner = ownerOf(deps.env);
  if (owner !== undefined) {
    await run(['chown', '--recursive', owner, repo.workDir, repo.remote, ssh.identity]);
  }
  return { repo, sshConfig: ssh.config };
}

/** Seconds where a real fleet has minutes: nobody wants to watch an example wait. */
function manifest(hosts: readonly TestHost[]): string {
  const host = ({ name, address, hostKey }: TestHost): string[] => {
    const role = name.replace(/\d+$/, '');
    return [
      `  ${name}:`,
      `    address: ${address}`,
      `    hostKeys: [${hostKey}]`,
      `    labels: { role: ${role} }`,
      // The page must answer before a deployment counts as good.
      ...(role === 'web' ? ['    checks: [{ http: { port: 8080, path: /health } }]'] : []),
    ];
  };
  return [
    '# The hosts of this fleet and how they are deployed to. What runs on them is in the flake beside this file.',
    'version: 1',
    '# A host without an owner is taken over at the first contact.',
    'adopt: auto',
    'defaults:',
    '  user: root',
    '  # A switch and its confirmation must be over by then, or the host rolls itself back.',
    '  timeouts: { activation: 1m, confirm: 15s, settle: 1s }',
    '# One host first, and the others only when it has stayed healthy. Without a rollout all go at once.',
    '# rollout:',
    '#   waves:',
    `#     - { name: canary, hosts: [${hosts[0]?.name ?? 'web1'}], soak: 10s }`,
    '#     - { name: rest }',
    '#   maxUnavailable: 1',
    'hosts:',
    ...hosts.flatMap(host),
    '',
  ].join('\n');
}

/** Whatever goes wrong in here, the push has been received: the poll finds it. Node is there, curl may not be. */
function hook(url: string): string {
  const program =
    `fetch('${url}/api/v1/sync',{method:'POST',headers:{'content-type':'application/json'},body:'{}',` +
    `signal:AbortSignal.timeout(5000)}).then(({ok,status})=>{if(!ok)throw new Error('it answered '+status)})` +
    `.catch(({message})=>console.error('varve was not told, it will see the push at its next poll: '+message))`;
  return `#!/bin/sh\n# Tells Varve to look now. What is deployed is what it sees then.\nexec '${process.execPath}' -e "${program}"\n`;
}

async function writeSshFiles(
  folder: string,
  lab: Lab,
  hosts: readonly TestHost[],
): Promise<{ readonly config: string; readonly identity: string }> {
  const config = join(folder, 'ssh_config');
  const identity = join(folder, 'id_ed25519');
  const knownHosts = join(folder, 'known_hosts');
  await copyFile(lab.privateKeyPath, identity);
  await chmod(identity, 0o600);
  await writeFile(knownHosts, hosts.map(({ name, hostKey }) => `${name} ${hostKey}\n`).join(''));
  const blocks = hosts.map(({ name, address }) =>
    [`Host ${name}`, `  HostName ${address}`, `  HostKeyAlias ${name}`, ''].join('\n'),
  );
  await writeFile(
    config,
    [
      ...blocks,
      'Host *',
      '  User root',
      `  IdentityFile ${identity}`,
      '  IdentitiesOnly yes',
      `  UserKnownHostsFile ${knownHosts}`,
      '  StrictHostKeyChecking yes',
      '',
    ].join('\n'),
  );
  return { config, identity };
}

/** Who started us with sudo. */
function ownerOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { SUDO_UID: user, SUDO_GID: group } = env;
  if (user === undefined || group === undefined || !/^\d+$/.test(user) || !/^\d+$/.test(group))
    return undefined;
  return user === '0' ? undefined : `${user}:${group}`;
}
