import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';

import { buildToplevels } from '../../hosts/by-hand.ts';
import { execute } from '../../hosts/command.ts';
import type { ConfigRepo } from '../../hosts/config-repo.ts';
import { makeConfigRepo } from '../../hosts/config-repo.ts';
import { definedEnvironment, exampleFleet, nixConfig } from '../../hosts/fleet-files.ts';

const names = ['web1', 'web2', 'batch1', 'web3'];
let dir: string;
let repo: ConfigRepo;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'varve-config-'));
  repo = await makeConfigRepo({
    dir: join(dir, 'config'),
    hosts: names.map((name, index) => ({
      name,
      address: `10.0.0.${index + 2}`,
      hostKey: 'ssh-ed25519 AAAA',
    })),
    authorizedKeys: ['ssh-ed25519 BBBB'],
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const remoteHead = async (): Promise<string> =>
  (await repo.git('ls-remote', repo.remote, 'refs/heads/main')).slice(0, 40);
const toplevelOf = async (name: string): Promise<string> =>
  (await buildToplevels(repo.workDir, [name]))[name] ?? '';

it('describes its hosts in varve.yaml, and pushes its first commit', async () => {
  const manifest: unknown = parse(await repo.read('varve.yaml'));
  expect(manifest).toMatchObject({
    version: 1,
    hosts: {
      web1: {
        address: '10.0.0.2',
        port: 22,
        user: 'root',
        hostKeys: ['ssh-ed25519 AAAA'],
        labels: { role: 'web' },
      },
      batch1: { labels: { role: 'batch' } },
    },
  });
  expect(await remoteHead()).toBe(await repo.head());
  expect((await stat(join(repo.workDir, 'bb/bin/busybox'))).mode & 0o111).toBe(0o111);
});

it('builds every host, with a lock file that is complete and a closure without anything of the network', async () => {
  const toplevels = await buildToplevels(repo.workDir, names);
  for (const name of names) expect(toplevels[name]).toContain(`nixos-system-${name}`);
  const { stderr } = await execute(['nix', 'flake', 'lock', '--no-update-lock-file', repo.workDir], {
    env: { ...definedEnvironment(), NIX_CONFIG: nixConfig },
  });
  expect(stderr).not.toContain('error');
  expect(await repo.git('status', '--porcelain')).toBe('');
});

it('gives the same toplevels for a commit that changes no system, and the old ones after a revert', async () => {
  const before = await toplevelOf('web1');
  await repo.commit('Say something', { 'README.md': 'something else\n' });
  expect(await toplevelOf('web1')).toBe(before);
  const change = await repo.commitAndPush('Change web1', {
    'hosts/web1.nix': '{ roles, ... }: { imports = [ (roles.motd "changed") ]; }',
  });
  expect(await remoteHead()).toBe(change);
  expect(await toplevelOf('web1')).not.toBe(before);
  await repo.revert(change);
  expect(await toplevelOf('web1')).toBe(before);
  await repo.push();
  await repo.forcePush(change);
  expect([await remoteHead(), await repo.head()]).toEqual([change, change]);
});

it.each([
  ['an option that does not exist', '{ nonsense = 1; }', 'the option nonsense does not exist'],
  ['a fault that does not exist', '{ faults.switch = 3; }', 'faults.switch has no such value'],
  [
    'two roles that disagree',
    '{ roles, ... }: { imports = [ (roles.motd "a") (roles.motd "b") ]; }',
    'set etc.motd.text to different values',
  ],
  ['a system that cannot be built', '{ faults.build = true; }', 'this system cannot be built'],
])('refuses %s with a message that says so', async (_, file, message) => {
  await repo.commit('A mistake', { 'hosts/web2.nix': file });
  await expect(toplevelOf('web2')).rejects.toThrow(message);
  expect(await toplevelOf('web3')).toContain('web3');
});

it('says what is missing where busybox is not there', async () => {
  await repo.commit('Without busybox', { bb: null });
  await expect(toplevelOf('web3')).rejects.toThrow('bb/bin/busybox is missing');
});

it('keeps no program in the example itself', async () => {
  await expect(readFile(join(exampleFleet, 'bb/bin/busybox'))).rejects.toThrow('ENOENT');
});
