import { expect, test } from 'vitest';

import { sshFiles } from '../../../../worker/deliver/ssh-config.ts';

const key = `ssh-ed25519 ${'A'.repeat(68)}`;
const connection = { address: '192.0.2.1', port: 2222, user: 'deploy', hostKeys: [key] };
const settings = {
  identityFiles: ['/keys/a b'],
  knownHostsFile: '/etc/varve/known_hosts',
  connectTimeoutMs: 1_500,
  persistMs: 0,
};
const paths = { knownHosts: '/data/x.hosts', control: '/data/x.sock' };

test('pinned keys are the only ones that are accepted', () => {
  const { config, knownHosts } = sshFiles(connection, settings, paths);
  expect(config.split('\n')).toEqual(
    expect.arrayContaining([
      'HostName 192.0.2.1',
      'Port 2222',
      'User deploy',
      'HostKeyAlias varve-host',
      'UserKnownHostsFile "/data/x.hosts"',
      'GlobalKnownHostsFile /dev/null',
      'StrictHostKeyChecking yes',
      'BatchMode yes',
      'IdentityFile "/keys/a b"',
      'ConnectTimeout 2',
      'ControlMaster no',
    ]),
  );
  expect(knownHosts).toBe(`varve-host ${key}\n`);
});

test('without pinned keys the known hosts of the service decide', () => {
  const { config } = sshFiles({ ...connection, hostKeys: [] }, settings, paths);
  expect(config).toContain('UserKnownHostsFile "/etc/varve/known_hosts"');
  expect(config).not.toContain('HostKeyAlias');
});

test('connections are shared only where their socket can have a name', () => {
  const shared = { ...settings, persistMs: 60_000 };
  expect(sshFiles(connection, shared, paths).config).toContain('ControlMaster auto');
  const deep = { ...paths, control: `/${'d'.repeat(100)}/x.sock` };
  expect(sshFiles(connection, shared, deep).config).toContain('ControlMaster no');
});

test('the zone of an IPv6 address is no pattern of OpenSSH', () => {
  const { config } = sshFiles({ ...connection, address: 'fe80::1%eth0' }, settings, paths);
  expect(config).toContain('HostName fe80::1%%eth0\n');
});

test('what could add a line or an option is refused', () => {
  for (const change of [
    { address: '-oProxyCommand=x' },
    { address: 'a\nProxyCommand x' },
    { user: 'a b' },
    { port: 70_000 },
    { hostKeys: [`${key}\n* ssh-rsa AAAA`] },
    { hostKeys: [`@cert-authority ${key}`] },
  ]) {
    expect(() => sshFiles({ ...connection, ...change }, settings, paths)).toThrow();
  }
});
