import { describe, expect, it } from 'vitest';

import { decodeFact, encodeFact } from '../../../../controller/ledger/codec.ts';
import { dayWith, importStream, objectId, readCommit } from '../../../../controller/ledger/commit.ts';
import type { FactKind } from '../../../../shared/domain/facts.ts';
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

  it('is tried with every kind there is', () => {
    const kinds = {
      ...{ genesis: true, epoch: true, observation: true, release: true, 'evaluation-failed': true },
      ...{ adopted: true, 'adopt-asked': true, intent: true, outcome: true, hold: true, 'hold-lifted': true },
      ...{ suspended: true, resumed: true, override: true, approved: true, testing: true, rollout: true },
      ...{ pin: true, retry: true },
    } satisfies Record<FactKind, true>;
    expect(new Set(everyKind.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
  });

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
  const first = { ref: 'refs/x', parent: undefined, n: 1, at: 0, ofDay: 0, facts: [aGenesis] };

  it('is filed under the day on which it was made', () => {
    const at = Date.UTC(2026, 0, 9, 23, 59, 59);
    const stream = importStream({ ...first, n: 41, at });
    expect(stream).toContain('\nM 100644 inline 2026/01/09/41.jsonl\n');
    expect(stream).not.toContain('\nfrom ');
  });

  it('of a day that has thousands is filed in a folder of at most a thousand', () => {
    const at = Date.UTC(2026, 0, 9);
    const fileAfter = (ofDay: number): string | undefined =>
      /inline (.*)/.exec(importStream({ ...first, n: 70_000, at, ofDay }))?.[1];
    expect(fileAfter(999)).toBe('2026/01/09/70000.jsonl');
    expect(fileAfter(1_000)).toBe('2026/01/09/more-1/70000.jsonl');
    expect(fileAfter(2_999)).toBe('2026/01/09/more-2/70000.jsonl');
  });

  it('is counted with those of its day, by universal time', () => {
    const evening = dayWith(undefined, Date.UTC(2026, 0, 9, 23, 59));
    expect(dayWith(evening, Date.UTC(2026, 0, 9, 23, 59, 59)).commits).toBe(2);
    expect(dayWith(evening, Date.UTC(2026, 0, 10)).commits).toBe(1);
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
