import { expect, test } from 'vitest';
import { faultPointNames } from '../../../shared/platform/ports/faults.ts';
import { every, ways } from '../../support/crash-points.ts';
import type { Crash } from '../../support/crash.ts';
import { readDocument, section, tableRows } from './read-documents.ts';

const told = section(readDocument('docs/reliability.md'), '## Crashes');

/** The number of crashes on each way, as a row of a table has it: an empty cell where there is none. */
function counted(of: (crash: Crash) => boolean): readonly string[] {
  return Object.values(ways).map((way) => String(every(way).filter(of).length || ''));
}

test('the tables of crashes have as many moments and deaths as the tests', () => {
  const acts = faultPointNames.flatMap((name) => (name.startsWith('before-') ? [name.slice(7)] : []));
  const moments = (['controller', 'worker'] as const).flatMap((program) =>
    acts.map((act) => [
      `${program}, before and after \`${act}\``,
      ...counted(
        (crash) => crash.dies === 'itself' && crash.program === program && crash.point.endsWith(`-${act}`),
      ),
    ]),
  );
  const deaths = [
    ['the program that is there', ...counted(({ dies }) => dies === 'itself')],
    ['both programs', ...counted(({ dies }) => dies === 'both')],
    ['Redis', ...counted(({ dies }) => dies === 'redis')],
  ];
  const never = (row: readonly string[]): boolean => row.slice(1).every((cell) => cell === '');
  expect(tableRows(told)).toEqual([...moments, ...deaths].filter((row) => !never(row)));
});

test('the sum of all crashes is told', () => {
  const all = Object.values(ways).reduce((sum, way) => sum + every(way).length, 0);
  expect(told).toContain(`${all} crashes`);
});
