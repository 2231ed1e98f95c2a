import { expect, test } from 'vitest';
import { normalRef, normalRepository } from '../../../../controller/http/webhook-payload.ts';

test.each([
  'https://forge.example/team/fleet.git',
  'https://forge.example/team/fleet',
  'https://forge.example/team/fleet/',
  'https://user:token@forge.example/team/fleet.git',
  'https://FORGE.example:443/team/fleet.git',
  'ssh://git@forge.example/team/fleet.git',
  'ssh://git@forge.example:22/team/fleet.git',
  'git@forge.example:team/fleet.git',
  'forge.example:team/fleet',
  'git://forge.example/team/fleet.git',
])('%s is the same repository as the others', (address) => {
  expect(normalRepository(address)).toBe('forge.example/team/fleet');
});

test.each([
  'https://forge.example/team/fleet2.git',
  'https://forge.example:8443/team/fleet.git',
  'https://evil.example/forge.example/team/fleet.git',
  'https://forge.example.evil.example/team/fleet.git',
  'https://forge.example@evil.example/team/fleet.git',
])('%s is another repository', (address) => {
  expect(normalRepository(address)).not.toBe('forge.example/team/fleet');
});

test('a path on the disk is taken as it is', () => {
  expect(normalRepository('/srv/git/fleet.git')).toBe('/srv/git/fleet');
});

test('a branch has one name', () => {
  expect(normalRef('refs/heads/main')).toBe('main');
  expect(normalRef('main')).toBe('main');
  expect(normalRef('refs/tags/main')).toBe('refs/tags/main');
});
