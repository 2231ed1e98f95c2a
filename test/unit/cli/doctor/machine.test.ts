import { describe, expect, test } from 'vitest';
import { type MachineDeps, machineFindings } from '../../../../cli/doctor/machine.ts';

const everything = [
  'git',
  'flock',
  'nix',
  'nix-store',
  'nix-daemon',
  'prlimit',
  'ssh',
  'ssh-keyscan',
  'redis-server',
  'setpriv',
];

function aMachine(change: Partial<MachineDeps> & { readonly has?: readonly string[] } = {}): MachineDeps {
  const has = new Set((change.has ?? everything).map((name) => `/bin/${name}`));
  return {
    run: async ([program]) => ({ code: 0, stdout: `${program} (Nix) 2.18.1\n`, stderr: '' }),
    env: { PATH: '/empty:/bin' },
    platform: 'linux',
    nodeVersion: '20.19.0',
    can: async (what, path) => (what === 'execute' ? has.has(path) : path.startsWith('/nix/var/nix')),
    runsHere: true,
    ...change,
  };
}

/** What is not good, a line each. */
async function complaints(deps: MachineDeps): Promise<readonly string[]> {
  const findings = await machineFindings(deps);
  return findings
    .filter(({ grade }) => grade !== 'good')
    .map(({ grade, what, found, advice }) => `${grade} ${what}: ${found} -> ${advice}`);
}

describe('the machine of a controller and a worker', () => {
  test('that has everything is good', async () => {
    expect(await complaints(aMachine())).toEqual([]);
  });

  test.each(['git', 'flock', 'nix', 'nix-store', 'nix-daemon', 'prlimit'])(
    'does not work without %s',
    async (name) => {
      const has = everything.filter((each) => each !== name);
      expect(await complaints(aMachine({ has }))).toEqual([
        expect.stringMatching(new RegExp(`^bad ${name}: not on PATH: .* -> Debian: apt install `)),
      ]);
    },
  );

  test('needs ssh for Git over SSH only: the worker speaks it itself', async () => {
    const has = everything.filter((each) => each !== 'ssh');
    expect(await complaints(aMachine({ has }))).toEqual([expect.stringMatching(/^note ssh: .*Git over SSH/)]);
  });

  test('needs prlimit on Linux only', async () => {
    const has = everything.filter((each) => each !== 'prlimit' && each !== 'setpriv');
    expect(await complaints(aMachine({ has, platform: 'darwin' }))).toEqual([]);
  });

  test('needs no Redis server: somebody may run one elsewhere', async () => {
    const has = everything.filter((each) => each !== 'redis-server');
    expect(await complaints(aMachine({ has }))).toEqual([expect.stringMatching(/^note redis-server/)]);
    expect(await complaints(aMachine({ has: [...has, 'valkey-server'] }))).toEqual([]);
  });

  test('is told about a program that is there and does not work, and a Nix that is too old', async () => {
    const broken = aMachine({
      run: async ([program]) =>
        program === '/bin/git'
          ? { code: 127, stdout: '', stderr: 'libz.so is missing' }
          : { code: 0, stdout: 'nix (Nix) 2.3.16', stderr: '' },
    });
    expect(await complaints(broken)).toEqual([
      expect.stringMatching(/^bad git: \/bin\/git does not work: libz\.so is missing/),
      'bad nix: nix (Nix) 2.3.16, too old -> install Nix 2.4 or newer',
    ]);
  });

  test('has to let the worker root what it builds, and reach the store', async () => {
    const can: MachineDeps['can'] = async (what, path) =>
      what === 'execute' || (what === 'exists' && path === '/nix/var/nix/gcroots');
    expect(await complaints(aMachine({ can }))).toEqual([
      'bad garbage-collector roots: /nix/var/nix/gcroots cannot be written: a worker of this user cannot protect what it builds -> run the worker as root, or give its user the folder: install -d -o <user> /nix/var/nix/gcroots/varve-worker',
      expect.stringMatching(/^bad Nix store: no daemon answers/),
    ]);
  });
});

test('a machine that only asks needs little: what others need is worth a note', async () => {
  const found = await complaints(aMachine({ has: [], runsHere: false, can: async () => false }));
  expect(found.every((line) => line.startsWith('note '))).toBe(true);
  expect(found).toContainEqual(expect.stringMatching(/needed where controller and workers run/));
});
