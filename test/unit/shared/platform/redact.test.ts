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
});
