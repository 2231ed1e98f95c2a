import { describe, expect, it } from 'vitest';

import { createRedactor } from '../../../../shared/platform/redact.ts';

const secret = 'p"ss/wörd\\+1';
const redact = createRedactor([secret, 'hunter22', 'hunter22-longer', 'abc', '']);

describe('redacting', () => {
  it.each([
    ['as it is', secret],
    ['inside JSON', JSON.stringify({ key: secret })],
    ['URL-encoded', `https://host/?token=${encodeURIComponent(secret)}`],
    ['in base64', Buffer.from(secret).toString('base64')],
    ["in git's basic authorization", Buffer.from(`x-access-token:${secret}`).toString('base64')],
  ])('takes a secret out %s', (_, text) => {
    const out = redact(`before ${text} after`);
    expect(out).toContain('[redacted]');
    expect(out).toMatch(/^before .* after$/);
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
      expect(out).not.toContain(form);
    }
  });

  it('takes the longer of two secrets out whole', () => {
    expect(redact('x hunter22-longer y')).toBe('x [redacted] y');
  });

  it('leaves ordinary words alone, also those that hold a very short secret', () => {
    expect(redact('the abc of git@host:repo')).toBe('the abc of git@host:repo');
  });

  it('takes user and password out of any URL', () => {
    expect(redact('fetch https://user:unknown@host/x.git failed')).toBe(
      'fetch https://[redacted]@host/x.git failed',
    );
    expect(redact('see https://host/a@b')).toBe('see https://host/a@b');
  });

  it('takes an authorization header out, in text and in JSON', () => {
    expect(redact('Authorization: Bearer abcdef12')).toBe('Authorization: Bearer [redacted]');
    expect(redact('{"authorization":"Basic abcdef12"}')).toBe('{"authorization":"Basic [redacted]"}');
  });

  it.each([
    ['a token of GitHub', `ghp_${'a1'.repeat(18)}`],
    ['a fine-grained token of GitHub', `github_pat_${'a1_'.repeat(20)}`],
    ['a token of GitLab', 'glpat-abcdefghij0123456789'],
    ['an access key of AWS', 'AKIAIOSFODNN7EXAMPLE'],
    [
      'a private key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXktdjE=\n-----END OPENSSH PRIVATE KEY-----',
    ],
  ])('takes %s out, whoever it belongs to', (_, text) => {
    expect(redact(`before ${text} after`)).toBe('before [redacted] after');
    expect(JSON.parse(redact(JSON.stringify({ line: `before ${text} after` })))).toEqual({
      line: 'before [redacted] after',
    });
  });

  it.each([
    ['words that might begin a URL', 'a.'],
    ['headers without a value', 'authorization: '],
    ['keys that do not end', '-----BEGIN PRIVATE KEY-----'],
    ['white space after a header', ' '],
  ])('takes time in proportion to the text for %s', (_, piece) => {
    const text = `authorization:${piece.repeat(Math.ceil(2_000_000 / piece.length))}`;
    const began = performance.now();
    redact(text);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
