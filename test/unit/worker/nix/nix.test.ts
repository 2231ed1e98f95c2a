import { describe, expect, test } from 'vitest';

import type { Run, RunOptions } from '../../../../shared/platform/exec.ts';
import { nixList, nixString } from '../../../../worker/nix/nix-text.ts';
import { createNix } from '../../../../worker/nix/nix.ts';

function nixWith(config: Readonly<Record<string, string>>, platform: NodeJS.Platform = 'linux') {
  const calls: { argv: readonly string[]; options: RunOptions }[] = [];
  const run: Run = async (argv, options) => {
    calls.push({ argv, options });
    return {
      argv,
      code: 0,
      signal: undefined,
      stdout: Buffer.alloc(0),
      truncated: false,
      stderrTail: '',
      durationMs: 0,
    };
  };
  return {
    calls,
    nix: createNix({ run, settings: { config, home: '/private', environment: {} }, platform }),
  };
}

describe('the environment of Nix', () => {
  test('has a home of its own and the settings of the service, and the repository can add none', async () => {
    const { calls, nix } = nixWith({
      sandbox: 'false',
      'build-users-group': '',
      'accept-flake-config': 'true',
    });
    await nix.run(['nix', 'eval'], { signal: undefined, deadlineMs: 1 });
    const env = calls[0]?.options.env ?? {};
    expect(env['HOME']).toBe('/private');
    expect(env['NIX_CONFIG']?.split('\n')).toEqual([
      'sandbox = false',
      'build-users-group = ',
      'accept-flake-config = false',
      'extra-experimental-features = nix-command flakes',
      'pure-eval = true',
      'eval-cache = false',
      'warn-dirty = false',
    ]);
    expect(env['GIT_CONFIG_GLOBAL']).toBe('/dev/null');
  });

  test('refuses a setting that would add a line', () => {
    expect(() => nixWith({ sandbox: 'false\npost-build-hook = /x' })).toThrow('cannot be given to Nix');
    expect(() => nixWith({ 'a = b': 'c' })).toThrow('cannot be given to Nix');
  });

  test('limits the address space by a program in front', async () => {
    const { calls, nix } = nixWith({});
    await nix.run(['nix', 'eval'], { signal: undefined, deadlineMs: 1, addressSpaceBytes: 5_000.5 });
    expect(calls[0]?.argv).toEqual(['prlimit', '--as=5000', 'nix', '--log-format', 'internal-json', 'eval']);
  });

  test('has no such program in front where the platform has none', async () => {
    const { calls, nix } = nixWith({}, 'darwin');
    await nix.run(['nix', 'eval'], { signal: undefined, deadlineMs: 1, addressSpaceBytes: 5_000 });
    expect(calls[0]?.argv[0]).toBe('nix');
  });
});

test('text becomes a string of the Nix language, and no expression', () => {
  expect(nixString('a"b\\c${d}\n$${e}')).toBe('"a\\"b\\\\c\\${d}\\n$\\${e}"');
  expect(nixList(['a', 'b c'])).toBe('[ "a" "b c" ]');
});
