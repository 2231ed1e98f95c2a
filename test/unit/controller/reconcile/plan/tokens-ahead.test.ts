import { describe, expect, it } from 'vitest';

import { hostAhead } from '../../../../../controller/reconcile/plan/tokens-ahead.ts';
import type { HostContact } from '../../../../../shared/domain/contact.ts';
import type { Token } from '../../../../../shared/domain/token.ts';
import { aReport, connection, host, incarnation, owner } from '../../../../support/builders.ts';

const own = { owner, token: { epoch: 7, counter: 3 } };
const contact = (highestToken: Token | undefined, name = 'web1', of = owner): HostContact => ({
  kind: 'reached',
  host: host(name),
  incarnation,
  askedAt: 1,
  at: 2,
  checks: [],
  connection,
  report: aReport({ owner: of, highestToken }),
});
const ahead = (contacts: readonly HostContact[], believed = true) =>
  hostAhead(contacts, own, () => believed)?.host;

describe('a host that has seen a higher token', () => {
  it.each([
    ['an epoch above', { epoch: 8, counter: 0 }, 'web1'],
    ['a counter above', { epoch: 7, counter: 4 }, 'web1'],
    ['the same', { epoch: 7, counter: 3 }, undefined],
    ['one below', { epoch: 6, counter: 9 }, undefined],
    ['none', undefined, undefined],
  ])('asks for a leadership above it, if it is: %s', (_, token, expected) => {
    expect(ahead([contact(token)])).toBe(expected);
  });

  it('does not matter where it belongs to another Varve', () => {
    expect(ahead([contact({ epoch: 8, counter: 0 }, 'web1', 'somebody-else')])).toBeUndefined();
  });

  it('is not followed to where the epochs would run out for every other host', () => {
    expect(ahead([contact({ epoch: 999_999_999_999_999, counter: 0 })])).toBeUndefined();
  });

  it('is not followed while it is not believed, and hides no other host', () => {
    const contacts = [contact({ epoch: 9, counter: 0 }, 'liar'), contact({ epoch: 8, counter: 0 }, 'web2')];
    expect(hostAhead(contacts, own, (name) => name !== 'liar')?.host).toBe('web2');
    expect(ahead(contacts, false)).toBeUndefined();
  });
});
