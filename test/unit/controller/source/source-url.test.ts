import { describe, expect, it } from 'vitest';
import { parseSourceUrl, parseTrackedRef } from '../../../../controller/source/source-url.ts';
import { FleetError } from '../../../../shared/domain/errors.ts';

function refusal(act: () => unknown): FleetError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof FleetError) return thrown;
  }
  throw new Error('it was taken');
}

describe('the address of a repository', () => {
  it.each([
    ['https://forge.example.org/ops/fleet.git', 'http'],
    ['http://127.0.0.1:3000/fleet', 'http'],
    ['ssh://git@forge.example.org:2222/ops/fleet.git', 'ssh'],
    ['git@forge.example.org:ops/fleet.git', 'ssh'],
    ['forge.example.org:fleet.git', 'ssh'],
    ['git@[2001:db8::1]:fleet.git', 'ssh'],
    ['file:///srv/git/fleet.git', 'file'],
    ['/srv/git/fleet.git', 'file'],
  ])('takes %s as %s', (text, kind) => {
    expect(parseSourceUrl(text)).toEqual({ kind, url: text });
  });

  it.each([
    'https://ann:s3cretword@forge.example.org/fleet.git',
    'https://s3cretword@forge.example.org/fleet.git',
    'ssh://git:s3cretword@forge.example.org/fleet.git',
    'https://forge.example.org/fleet.git?token=s3cretword',
  ])('refuses a credential in it, without repeating it: %s', (text) => {
    const error = refusal(() => parseSourceUrl(text));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(`${error.message} ${error.hint}`).not.toContain('s3cretword');
  });

  it('says where a credential belongs', () => {
    expect(refusal(() => parseSourceUrl('https://a:b@h/r')).hint).toContain('by file or environment');
  });

  it.each([
    '',
    '--upload-pack=touch /tmp/x',
    '--upload-pack=x',
    'ext::sh -c x',
    'ext::x',
    'git://forge.example.org/fleet.git',
    'ftp://forge.example.org/fleet.git',
    'ssh://-oProxyCommand=x/fleet',
    '-oProxyCommand=x:fleet',
    'git@-oProxyCommand=x:fleet',
    'git@host:-option',
    'fleet',
    './fleet',
    'file://host/fleet',
    'https://forge.example.org/a b',
    'https://forge.example.org/a\nb',
  ])('refuses %j', (text) => {
    expect(refusal(() => parseSourceUrl(text)).code).toBe('CONFIG_INVALID');
  });
});

describe('the tracked branch', () => {
  it.each([
    ['main', 'refs/heads/main'],
    ['refs/heads/main', 'refs/heads/main'],
    ['release/24.05', 'refs/heads/release/24.05'],
    ['größe', 'refs/heads/größe'],
  ])('is %s as %s', (text, full) => {
    expect(parseTrackedRef(text)).toBe(full);
  });

  it.each([
    '',
    '--option',
    '-x',
    'refs/heads/--option',
    'refs/tags/v1',
    'a..b',
    'a b',
    'a\nb',
    'a:b',
    'a^',
    'a~1',
    'a*',
    '@',
    'a@{1}',
    'a//b',
    '/a',
    'a/',
    '.a',
    'a/.b',
    'a.lock',
    'a.',
    'a\\b',
    'a'.repeat(201),
  ])('is not %j', (text) => {
    expect(refusal(() => parseTrackedRef(text)).code).toBe('CONFIG_INVALID');
  });
});
