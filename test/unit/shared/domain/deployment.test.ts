import { expect, test } from 'vitest';

import { candidates } from '../../../../shared/domain/deployment.ts';
import type { Connection } from '../../../../shared/domain/fleet.ts';

const at = (address: string): Connection => ({ address, port: 22, user: 'root', hostKeys: [] });

test.each([
  ['of a host that nobody has reached yet', [], at('new'), [at('new')]],
  ['of one that has moved', [at('old')], at('new'), [at('old'), at('new')]],
  ['of one that has moved and back', [at('a'), at('b')], at('a'), [at('a'), at('b')]],
])('the candidates %s are each there once, the known ones first', (_, known, next, expected) => {
  expect(candidates({ known, next })).toEqual(expected);
});
