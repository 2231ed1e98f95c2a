import { describe, expect, it } from 'vitest';

// @ts-expect-error -- plain JavaScript, since it runs before anything is compiled
import * as untyped from '../../../../cli/setup/programs.mjs';

interface Programs {
  readonly programs: Readonly<Record<string, { readonly any: readonly string[]; readonly why: string }>>;
  bootsHosts(command: string, args: readonly string[], said?: object): boolean;
  neededFor(command: string, args: readonly string[], machine?: object): readonly string[];
  configFile(args: readonly string[], said: object): string | undefined;
  missingOf(names: readonly string[], isThere: (name: string) => boolean): readonly string[];
  packagesFor(missing: readonly string[], distribution: string): readonly string[] | undefined;
  distributionOf(platform: string, osRelease: string): string;
  waysToGet(missing: readonly string[], distribution: string): readonly string[];
}

const {
  programs,
  bootsHosts,
  neededFor,
  configFile,
  missingOf,
  packagesFor,
  distributionOf,
  waysToGet,
}: Programs = untyped;

describe('what a command needs', () => {
  it('is nothing that boots test hosts, for a repository of one’s own', () => {
    const needed = neededFor('start', ['--repo', 'https://host/x.git']);
    expect(needed).toContain('redis');
    expect(needed).not.toContain('systemd-nspawn');
    expect(needed).not.toContain('debootstrap');
    expect(bootsHosts('start', ['--repo=https://host/x.git'])).toBe(false);
  });

  it('is no Redis where one is given', () => {
    expect(neededFor('start', ['--repo', 'x', '--redis=redis://host'])).not.toContain('redis');
    const said = { VARVE_REDIS_SOCKET: '/run/redis.sock' };
    expect(neededFor('start', ['--repo', 'x'], { said })).not.toContain('redis');
    const config = 'repository:\n  url: x\nredis:\n  url: redis://host\n';
    expect(neededFor('start', ['--config', 'x'], { config })).not.toContain('redis');
    expect(neededFor('start', ['--config', 'x'], { config: 'fleet: x' })).toContain('redis');
  });

  it('is no test host where the environment names a repository', () => {
    expect(bootsHosts('start', [], { VARVE_REPOSITORY_URL: 'x' })).toBe(false);
    expect(bootsHosts('start', [], { VARVE_CONFIG: 'x' })).toBe(false);
    expect(bootsHosts('demo', [], { VARVE_CONFIG: 'x' })).toBe(true);
  });

  it('is what limits memory on Linux, and nowhere else', () => {
    expect(neededFor('start', ['--repo', 'x'], { platform: 'linux' })).toContain('prlimit');
    expect(neededFor('start', ['--repo', 'x'], { platform: 'darwin' })).not.toContain('prlimit');
  });

  it('can depend on a configuration file, however it is named', () => {
    expect(configFile(['--config', 'a.yaml'], {})).toBe('a.yaml');
    expect(configFile(['--config=a.yaml'], { VARVE_CONFIG: 'b.yaml' })).toBe('a.yaml');
    expect(configFile(['--repo', 'x'], { VARVE_CONFIG: 'b.yaml' })).toBe('b.yaml');
    expect(configFile([], {})).toBeUndefined();
  });

  it('is all that boots test hosts, for the example fleet, the demonstration and the tests', () => {
    for (const command of ['start', 'demo', 'bench', 'test', 'matrix']) {
      expect(neededFor(command, [])).toEqual(
        expect.arrayContaining(['systemd-nspawn', 'debootstrap', 'busybox']),
      );
      expect(bootsHosts(command, [])).toBe(true);
    }
    expect(neededFor('test', [])).toContain('sshd');
    expect(neededFor('start', [])).not.toContain('sshd');
  });

  it('is known by a package on every distribution that is named', () => {
    const all = Object.keys(programs);
    for (const distribution of ['debian', 'fedora', 'arch', 'nixpkgs']) {
      expect(packagesFor(all, distribution), distribution).toBeDefined();
    }
  });
});

describe('what is missing', () => {
  it('is a program none of whose names is there', () => {
    const there = new Set(['git', 'valkey-server']);
    expect(missingOf(['git', 'redis', 'nix'], (name) => there.has(name))).toEqual(['nix']);
  });

  it('comes from packages that are named once each', () => {
    expect(packagesFor(['ssh', 'ssh-keygen', 'redis'], 'debian')).toEqual(['openssh-client', 'redis-server']);
  });
});

describe('a distribution', () => {
  it.each([
    ['debian', 'linux', 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n'],
    ['debian', 'linux', 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n'],
    ['debian', 'linux', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'],
    ['nixos', 'linux', 'ID=nixos\n'],
    ['fedora', 'linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'],
    ['arch', 'linux', 'ID=arch\n'],
    ['other', 'linux', 'ID=alpine\n'],
    ['other', 'linux', ''],
    ['macos', 'darwin', ''],
    ['other', 'freebsd', ''],
  ])('is %s by its platform (%s) and its os-release', (expected, platform, osRelease) => {
    expect(distributionOf(platform, osRelease)).toBe(expected);
  });
});

describe('the ways to get what is missing', () => {
  it('name the one command that fits the machine', () => {
    expect(waysToGet(['redis', 'nix'], 'debian')).toEqual([
      'Debian, Ubuntu: sudo apt-get install --no-install-recommends nix-bin redis-server',
    ]);
    expect(waysToGet(['redis'], 'nixos')).toEqual(['NixOS: nix shell nixpkgs#redis']);
  });

  it('are all that are known, on a machine that is not', () => {
    expect(waysToGet(['git'], 'other').map((way) => way.split(':')[0])).toEqual([
      'Debian, Ubuntu',
      'NixOS',
      'Fedora',
      'Arch',
      'macOS',
    ]);
  });

  it('say on macOS what cannot be had there', () => {
    const [way] = waysToGet(['redis', 'nix', 'systemd-nspawn'], 'macos');
    expect(way).toBe(
      'macOS: brew install redis; install Nix with the installer from nixos.org; ' +
        'test hosts need Linux: give a repository of your own with --repo, or use a Linux machine',
    );
  });
});
