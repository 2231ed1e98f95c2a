import { expect, test } from 'vitest';

import { decodeFact, encodeFact } from '../../../../controller/ledger/codec.ts';

test('a wave that failed before the ledger said on which hosts has failed on none that are known', () => {
  const line =
    '{"kind":"rollout","at":1,"observation":1,"change":{"kind":"wave-failed","wave":"rest","reason":"no"}}';
  const fact = decodeFact(line, 'here');
  expect(fact).toMatchObject({ change: { kind: 'wave-failed', reason: 'no', hosts: [] } });
  expect(decodeFact(encodeFact(fact), 'here')).toEqual(fact);
});

test('a fact of a kind that is not known names the place, and says that a newer Varve wrote it', () => {
  expect(() => decodeFact('{"kind":"telepathy","at":1}', 'commit 1, line 2')).toThrow('commit 1, line 2');
});
