import { describe, expect, it } from 'vitest';

import { decodeFact, encodeFact } from '../../../../controller/ledger/codec.ts';
import { importStream, objectId, readCommit } from '../../../../controller/ledger/commit.ts';
import { aGenesis, everyKind } from '../../../support/ledger-facts.ts';

describe('a fact as a line', () => {
  it.each(everyKind.map((fact) => [fact.kind, fact] as const))(
    'of kind %s comes back as it was',
    (_, fact) => {
      const line = encodeFact(fact);
      expect(line).not.toContain('\n');
      expect(decodeFact(line, 'here')).toEqual(fact);
    },
  );

  it('that is no JSON is refused with its place', () => {
    expect(() => decodeFact('{', 'commit c, line 3')).toThrow('damaged at commit c, line 3');
  });

  it.each(['null', '[]', '{}', '{"kind":7}', '{"kind":"epoch","at":1}'])(
    'that is %s is damaged, not newer',
    (line) => {
      expect(() => decodeFact(line, 'here')).toThrow('damaged at here');
    },
  );
});

describe('a commit', () => {
  it('is filed under the day on which it was made', () => {
    const at = Date.UTC(2026, 0, 9, 23, 59, 59);
    const stream = importStream({ ref: 'refs/x', parent: undefined, n: 41, at, facts: [aGenesis] });
    expect(stream).toContain('\nM 100644 inline 2026/01/09/41.jsonl\n');
    expect(stream).not.toContain('\nfrom ');
  });

  it('has the hash that Git gives to it', () => {
    expect(objectId('blob', Buffer.from('hello\n'))).toBe('ce013625030ba8dba906f756967f9e9ca394464a');
  });

  it('with another content than its hash says is refused', () => {
    expect(() => readCommit('0'.repeat(40), Buffer.from('tree x\n\nhello\n'))).toThrow(
      'does not have its hash',
    );
  });

  it('with two parents is refused', () => {
    const bytes = Buffer.from(`tree x\nparent ${'a'.repeat(40)}\nparent ${'b'.repeat(40)}\n\nhello\n`);
    expect(() => readCommit(objectId('commit', bytes), bytes)).toThrow('it is a merge');
  });
});
