import { describe, expect, it } from 'vitest';

import { createSharing } from '../../../../controller/ledger/sharing.ts';
import { anIntent, anOutcome, everyKind } from '../../../support/ledger-facts.ts';

describe('what facts have in common', () => {
  it('is put in its place without any change to a fact', () => {
    const shared = createSharing();
    for (const fact of [...everyKind, ...everyKind])
      expect(shared(structuredClone(fact))).toStrictEqual(fact);
  });

  it('is there once', () => {
    const shared = createSharing();
    const [intent, outcome] = [shared(structuredClone(anIntent(1))), shared(structuredClone(anOutcome(1)))];
    if (intent.kind !== 'intent' || outcome.kind !== 'outcome') throw new Error('another kind');
    expect(outcome.connection).toBe(intent.connection);
  });
});
