import { join } from 'node:path';

import { beforeAll, describe, expect, it } from 'vitest';

import type { Drift } from '../../../shared/domain/drift.ts';
import { parseStorePath } from '../../../shared/domain/names.ts';
import { makeKey } from '../../hosts/host-disk.ts';
import type { Lab } from '../../hosts/lab.ts';
import { type TestHost, ssh } from '../../hosts/test-host.ts';
import { type Workbench, guardHost } from '../guard/support.ts';
import { shell } from '../hosts/support.ts';

const system = (name: string): string =>
  `{ roles, ... }: { imports = [ (roles.motd "${name}") ]; sshd.authorizedKeysFiles = [ ".ssh/authorized_keys" ]; }`;
const files = { ours: system('ours'), theirs: system('theirs') };

let lab: Lab;
let host: TestHost;
let bench: Workbench;
let systems: typeof files;

beforeAll(async () => {
  const made = await guardHost(files);
  ({ lab, host, bench, systems } = made);
  await toOurs();
  return made.close;
});

/** What was confirmed there, and taken note of. */
async function toOurs(): Promise<void> {
  const deployment = bench.deployment(systems.ours);
  await bench.activate(systems.ours, deployment);
  await bench.probe({ acknowledged: [deployment.id] });
  expect(await drift()).toBeUndefined();
}

async function drift(): Promise<Drift | undefined> {
  const ours = parseStorePath(systems.ours);
  const contact = await bench.probe({ expected: { runs: ours, boots: ours } });
  if (contact.kind !== 'reached') throw new Error(contact.failure.message);
  return contact.report.drift;
}

/** Somebody with a key of their own, who may become root; gives how they run a line on the host. */
async function aPerson(name: string, account = name): Promise<(line: string) => Promise<string>> {
  const keyFile = join(lab.dir, `key-of-${name}`);
  const key = await makeKey(keyFile, name);
  if (account !== 'root') {
    await shell(host, `useradd --create-home --password '*' --shell /bin/sh ${account}`);
    await shell(host, `echo '${account} ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/${account}`);
    await shell(host, `chmod 440 /etc/sudoers.d/${account}`);
  }
  const home = await shell(host, `echo ~${account}`);
  await shell(host, `mkdir -p ${home}/.ssh && echo '${key}' >> ${home}/.ssh/authorized_keys`);
  await shell(host, `chown -R ${account} ${home}/.ssh && chmod 600 ${home}/.ssh/authorized_keys`);
  return (line) =>
    ssh({ ...host, privateKeyPath: keyFile }, [`PATH=/usr/bin:/bin; ${line}`], { user: account });
}

const secondsAgo = (at: number | undefined): number => (Date.now() - (at ?? 0)) / 1_000;

describe('a host that somebody has changed', () => {
  it('tells who set its profile by sudo, when, and to which generation', async () => {
    const ada = await aPerson('ada');
    await ada(`sudo nix-env --profile /nix/var/nix/profiles/system --set ${systems.theirs}`);
    const found = await drift();
    expect(found).toMatchObject({
      kind: 'profile',
      generation: 3,
      sightings: [{ kind: 'sudo', user: 'ada', command: 'nix-env --set' }],
    });
    expect(secondsAgo(found?.at)).toBeLessThan(60);
    await toOurs();
  });

  it('tells who was logged in as root when it was switched, and does not take Varve for somebody', async () => {
    const grace = await aPerson('grace', 'root');
    await grace(`${systems.theirs}/bin/switch-to-configuration test`);
    const found = await drift();
    expect(found).toMatchObject({
      kind: 'switched',
      generation: 3,
      sightings: [{ kind: 'login', user: 'root', from: lab.gateway }],
    });
    expect(found?.sightings).toHaveLength(1);
    await toOurs();
  });

  it('names nobody whom another user has written into its journal', async () => {
    const mallory = await aPerson('mallory');
    const lie = 'ada : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/nixos-rebuild switch';
    await mallory(`logger -t sudo '${lie}'`);
    await mallory('logger -t sshd "Accepted publickey for ada from 192.0.2.7 port 7 ssh2: RSA SHA256:x"');
    expect(await shell(host, 'journalctl --quiet SYSLOG_IDENTIFIER=sudo')).toContain(lie);
    await shell(host, `${systems.theirs}/bin/switch-to-configuration test`);
    expect(await drift()).toMatchObject({ kind: 'switched', sightings: [] });
    await toOurs();
  });

  it('tells what was done although it has no journal', async () => {
    await shell(host, 'mv /run/log/journal /run/log/away && mkdir /run/log/journal');
    await shell(host, `${systems.theirs}/bin/switch-to-configuration test`);
    expect(await drift()).toMatchObject({ kind: 'switched', sightings: [] });
    await shell(host, 'rm -r /run/log/journal && mv /run/log/away /run/log/journal');
  });
});
