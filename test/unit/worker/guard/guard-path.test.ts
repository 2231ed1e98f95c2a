import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { flatFilePath, guardBytes, guardStorePath, nix32 } from '../../../../worker/guard/guard-path.ts';

describe('nix32', () => {
  it('writes the most significant digit first, in digits that spell no words', () => {
    expect(nix32(Buffer.from('0839703786356bca59b0f4a32987eb2e6de43ae8', 'hex'))).toBe(
      'x0xf8v9fxf3jk8zln1cwlsrmhqvp0f88',
    );
  });
});

describe('flatFilePath', () => {
  it('is what Nix 2.8 computes for the same file', () => {
    // nix-store --print-fixed-path sha256 $(nix-hash --type sha256 --flat FILE) varve-guard
    expect(flatFilePath('varve-guard', Buffer.from('hello\n'))).toBe(
      '/nix/store/c371p3r0myrbfwqsfzb7bdh31pzir734-varve-guard',
    );
    expect(guardStorePath()).toBe(flatFilePath('varve-guard', guardBytes));
  });

  it('changes with a byte and with the name', () => {
    const path = flatFilePath('a', Buffer.from('x'));
    expect(flatFilePath('a', Buffer.from('y'))).not.toBe(path);
    expect(flatFilePath('b', Buffer.from('x')).slice(0, 44)).not.toBe(path.slice(0, 44));
  });
});

describe('the guard', () => {
  it.for(['dash', 'bash'])('is a script that %s can read', (shell) => {
    execFileSync(shell, ['-n'], { input: guardBytes });
  });
});
