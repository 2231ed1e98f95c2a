import { expect, it } from 'vitest';

import { parseDeploymentId } from '../../../../shared/domain/names.ts';
import { createRandomIds } from '../../../../shared/platform/random-ids.ts';

const ids = createRandomIds();

it('makes deployment ids that are accepted as such and do not repeat', () => {
  const made = Array.from({ length: 1_000 }, () => ids.deployment());
  expect(new Set(made).size).toBe(1_000);
  for (const id of made) expect(parseDeploymentId(id)).toBe(id);
});

it('makes unique ids of 128 random bits', () => {
  expect(ids.unique()).toMatch(/^[0-9a-f]{32}$/);
  expect(ids.unique()).not.toBe(ids.unique());
});
