import { describe, expect, it } from 'vitest';

import { driftOf, type DriftSaid } from '../../../../worker/probe/drift.ts';

/** Seconds since the epoch at which something was changed. */
const at = 1_000_000;

interface Entry {
  readonly ago: number;
  readonly by: string;
  readonly uid?: number;
  readonly says: unknown;
}

const line = ({ ago, by, uid = 0, says }: Entry): string =>
  JSON.stringify({
    __REALTIME_TIMESTAMP: `${(at - ago) * 1_000_000}`,
    SYSLOG_IDENTIFIER: by,
    _UID: `${uid}`,
    MESSAGE: says,
  });

const ownKeys = new Set(['SHA256:ours']);
const users = ['root:0', 'ada:1000', 'grace:1001'];
const drift = (entries: readonly Entry[], change: Partial<DriftSaid> = {}) =>
  driftOf(
    { kind: 'profile', at, generation: 7, journal: entries.map(line), users, since: undefined, ...change },
    ownKeys,
  );
const seen = (...entries: readonly Entry[]) => drift(entries).sightings;

const sudo = (command: string, change: Partial<Entry> = {}): Entry => ({
  ago: 10,
  by: 'sudo',
  uid: 1000,
  says: `     ada : TTY=pts/0 ; PWD=/home/ada ; USER=root ; COMMAND=${command}`,
  ...change,
});
const login = (user: string, ago: number, port = 4000, key = 'SHA256:theirs'): Entry => ({
  ago,
  by: 'sshd',
  says: `Accepted publickey for ${user} from 192.0.2.1 port ${port} ssh2: ED25519 ${key}`,
});
const logout = (ago: number, uid = 1000, port = 4000): Entry => ({
  ago,
  by: 'sshd',
  uid,
  says: `Disconnected from user ada 192.0.2.1 port ${port}`,
});

describe('what a host tells of its drift', () => {
  it('is what was done, when, and which profile generation it has now', () => {
    expect(drift([])).toEqual({ kind: 'profile', generation: 7, at: at * 1_000, sightings: [] });
  });

  it('has no time where that is none that anybody could read', () => {
    expect(drift([], { at: 999_999_999_999_999 })).toMatchObject({ at: undefined, sightings: [] });
  });

  it('has no time, and so nobody, where the host knows of none', () => {
    const said = { kind: 'boot-default' as const, at: undefined, generation: undefined };
    expect(drift([sudo('/bin/nixos-rebuild switch')], said)).toEqual({ ...said, sightings: [] });
  });
});

describe('who ran a command that changes systems', () => {
  it.for([
    ['/run/current-system/sw/bin/nixos-rebuild switch --rollback', 'nixos-rebuild switch --rollback'],
    ['/nix/store/abc/bin/switch-to-configuration test', 'switch-to-configuration test'],
    ['/usr/bin/nix-env -p /nix/var/nix/profiles/system --set /nix/store/abc', 'nix-env --set'],
    ['/usr/bin/nix-env -p /nix/var/nix/profiles/system --switch-generation 3', 'nix-env --switch-generation'],
  ] as const)('is told of `%s`', ([whole, command]) => {
    expect(seen(sudo(whole))).toEqual([{ kind: 'sudo', user: 'ada', command, at: (at - 10) * 1_000 }]);
  });

  it.for([
    '/usr/bin/ls nixos-rebuild switch',
    '/bin/nixos-rebuild dry-build',
    '/bin/nix-env --profile /nix/var/nix/profiles/system --list-generations',
    '/bin/sh -c nixos-rebuild switch',
  ])('is not told of `%s`', (command) => {
    expect(seen(sudo(command))).toEqual([]);
  });

  it('is the last one before the change, at most an hour before it', () => {
    const entries = [
      sudo('/bin/nixos-rebuild boot', { ago: 300 }),
      sudo('/bin/nixos-rebuild test', { ago: -5 }),
    ];
    expect(seen(...entries, sudo('/bin/nixos-rebuild switch', { ago: 20 }))).toMatchObject([
      { command: 'nixos-rebuild switch' },
    ]);
    expect(seen(sudo('/bin/nixos-rebuild switch', { ago: 4_000 }))).toEqual([]);
  });

  it('is nobody who did it before Varve changed the host itself', () => {
    const entry = sudo('/bin/nixos-rebuild switch', { ago: 10 });
    expect(drift([entry], { since: at - 9 }).sightings).toEqual([]);
    expect(drift([entry], { since: at - 10 }).sightings).toEqual([]);
    expect(drift([entry], { since: at - 11 }).sightings).toHaveLength(1);
  });

  it('is nobody whom another user has named in the journal, or whose command was refused', () => {
    expect(seen(sudo('/bin/nixos-rebuild switch', { uid: 1001 }))).toEqual([]);
    expect(seen(sudo('/bin/nixos-rebuild switch', { uid: 0 }))).toHaveLength(1);
    const refused =
      '     ada : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/nixos-rebuild switch';
    expect(seen(sudo('', { says: refused }))).toEqual([]);
  });

  it('is told in words that are known: no secret of a command gets out, and nothing that a terminal obeys', () => {
    const secrets = `--option access-tokens github.com=secret \u001b[31m\u202e ${'switch '.repeat(500)}`;
    expect(seen(sudo(`/bin/nixos-rebuild switch ${secrets}`))).toMatchObject([
      { command: 'nixos-rebuild switch' },
    ]);
    const says = '\u001b[2J : PWD=/ ; USER=root ; COMMAND=/bin/nixos-rebuild switch';
    expect(seen(sudo('', { says }))).toEqual([]);
  });

  it('is nobody in lines that cannot be read', () => {
    const journal = ['', '{', '[]', line(sudo('x', { says: [1, 2, 3] })), line(sudo('x')).slice(0, 60)];
    expect(drift([], { journal }).sightings).toEqual([]);
  });
});

describe('who was logged in', () => {
  it('is told where nobody ran such a command, with where they came from', () => {
    expect(seen(login('ada', 600))).toEqual([
      { kind: 'login', user: 'ada', from: '192.0.2.1', at: (at - 600) * 1_000 },
    ]);
    expect(seen(login('ada', 600), sudo('/bin/nixos-rebuild switch'))).toMatchObject([{ kind: 'sudo' }]);
  });

  it('is nobody who left before, or came later', () => {
    expect(seen(login('ada', 600), logout(300))).toEqual([]);
    expect(seen(login('ada', 600), logout(-1))).toHaveLength(1);
    expect(seen(login('ada', 600), logout(300, 1000, 4001))).toHaveLength(1);
    expect(seen(login('ada', 600), logout(300, 1000, 40_000))).toHaveLength(1);
    expect(seen(login('ada', -60))).toEqual([]);
  });

  it('is not Varve itself, known by its keys', () => {
    expect(seen(login('root', 600, 4000, 'SHA256:ours'))).toEqual([]);
  });

  it('is nobody whom another user has written into the journal', () => {
    expect(seen({ ...login('ada', 600), uid: 1001 })).toEqual([]);
    expect(seen(login('ada', 600), logout(300, 1001))).toHaveLength(1);
  });

  it('is each person once, and three at most', () => {
    expect(seen(login('ada', 600), login('ada', 500, 4001))).toMatchObject([{ at: (at - 500) * 1_000 }]);
    expect(seen(...['a', 'b', 'c', 'd'].map((name, i) => login(name, 100 + i, 5000 + i)))).toMatchObject([
      { user: 'a' },
      { user: 'b' },
      { user: 'c' },
    ]);
  });
});
