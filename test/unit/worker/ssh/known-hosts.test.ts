import { createHmac } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { lookUp } from '../../../../worker/ssh/known-hosts.ts';

const hashed = (name: string): string => {
  const salt = Buffer.alloc(20, 7);
  const hash = createHmac('sha1', salt).update(name).digest('base64');
  return `|1|${salt.toString('base64')}|${hash}`;
};
const accepted = (text: string, address: string, port = 22): readonly string[] =>
  lookUp(text, address, port).accepted;

describe('lookUp in known_hosts', () => {
  it('finds a name, one of several, in any case', () => {
    expect(accepted('web1,10.0.0.1 ssh-ed25519 AAAA comment', '10.0.0.1')).toEqual(['ssh-ed25519 AAAA']);
    expect(accepted('Web1 ssh-ed25519 AAAA', 'WEB1')).toEqual(['ssh-ed25519 AAAA']);
    expect(accepted('web1 ssh-ed25519 AAAA', 'web2')).toEqual([]);
  });

  it('tells ports apart', () => {
    const text = 'web1 ssh-ed25519 A\n[web1]:2222 ssh-ed25519 B';
    expect(accepted(text, 'web1')).toEqual(['ssh-ed25519 A']);
    expect(accepted(text, 'web1', 2222)).toEqual(['ssh-ed25519 B']);
    expect(accepted(text, 'web1', 2223)).toEqual([]);
  });

  it('finds hashed names, with and without a port', () => {
    const text = `${hashed('web1')} ssh-ed25519 A\n${hashed('[web1]:2222')} ssh-ed25519 B`;
    expect(accepted(text, 'web1')).toEqual(['ssh-ed25519 A']);
    expect(accepted(text, 'web1', 2222)).toEqual(['ssh-ed25519 B']);
    expect(accepted(text, 'web2')).toEqual([]);
  });

  it('knows patterns and their exceptions', () => {
    const text = '*.example.org,!bad.example.org,web? ssh-ed25519 A';
    expect(accepted(text, 'a.example.org')).toHaveLength(1);
    expect(accepted(text, 'web7')).toHaveLength(1);
    expect(accepted(text, 'bad.example.org')).toHaveLength(0);
    expect(accepted(text, 'web77')).toHaveLength(0);
  });

  it('keeps revoked keys apart, and leaves certificate authorities out', () => {
    const text = '@revoked * ssh-ed25519 R\n@cert-authority * ssh-ed25519 C\nweb1 ssh-ed25519 A';
    expect(lookUp(text, 'web1', 22)).toEqual({ accepted: ['ssh-ed25519 A'], revoked: ['ssh-ed25519 R'] });
  });

  it('leaves out what is no entry', () => {
    expect(accepted('# web1 ssh-ed25519 A\n\nweb1\nweb1 ssh-ed25519\n|1|x web1 y', 'web1')).toEqual([]);
  });
});
