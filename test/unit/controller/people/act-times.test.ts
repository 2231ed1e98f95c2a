import { expect, it } from 'vitest';
import { createActTimes } from '../../../../controller/people/act-times.ts';
import { factKey } from '../../../../shared/domain/facts.ts';
import { createPeople } from '../../../support/people-stage.ts';
import { aPolicy, aWave, Stage } from '../../../support/rollout-stage.ts';

it('acts have times of their own, and those of the clock where they can', () => {
  const timeOf = createActTimes();
  expect([10, 10, 10, 12, 40].map(timeOf)).toEqual([10, 11, 12, 13, 40]);
});

it('a clock that is set back by moments makes no act older than the one before, and is followed when it is by more', () => {
  const timeOf = createActTimes();
  expect([5_000, 4_500, 3_000, 3_000].map(timeOf)).toEqual([5_000, 5_001, 3_000, 3_001]);
});

it('what people say of one host in one millisecond is kept whole, and in its order', async () => {
  const stage = new Stage({ web1: {} }, aPolicy([aWave('all')]));
  stage.pass();
  const people = createPeople(stage);
  await people.hold({ scope: 'web1', reason: 'a look' }, 'ada');
  await people.hold({ scope: 'web1', reason: 'another look' }, 'eve');
  await people.release({ scope: 'web1' }, 'eve');
  await people.hold({ scope: 'web1', reason: 'a look' }, 'ada');
  await people.suspend({ reason: 'an incident' }, 'ada');
  await people.suspend({ reason: 'a greater incident' }, 'ada');
  await people.retry(undefined, 'ada');
  await people.retry(undefined, 'eve');
  const keys = people.appends.flat().map(factKey);
  expect(new Set(keys).size).toBe(8);
});
