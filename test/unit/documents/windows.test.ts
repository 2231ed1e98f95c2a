import { expect, test } from 'vitest';
import { allow, ask, at, deny, freeze, hour, override } from '../../support/windows.ts';
import { readDocument, section, tableRows } from './read-documents.ts';

const text = section(readDocument('docs/rollouts.md'), '## Windows and freezes');
const now = '2026-07-01T12:30:00Z';
const [begins, ends] = ['2026-07-01T12:00:00Z', '2026-07-01T13:00:00Z'] as const;
const active = '0 12 * * *';
const inactive = '0 3 * * *';

/** What the words in the cells stand for: each of the lists is one way to be that. */
const schedules: Readonly<Record<string, readonly (readonly string[])[]>> = {
  any: [[], [active], [inactive], [active, inactive]],
  'one or more active': [[active], [active, inactive]],
  'none active': [[], [inactive]],
  'some, none active': [[inactive]],
  'no such window': [[]],
};
const inForce: Readonly<Record<string, readonly boolean[]>> = {
  'in force': [true],
  none: [false],
  any: [true, false],
};

test.each(tableRows(text))(
  'as documented: override %s, freeze %s, deny %s, allow %s: %s',
  (overridden = '', frozen = '', denies = '', allows = '', may = '') => {
    for (const one of inForce[overridden] ?? [])
      for (const other of inForce[frozen] ?? [])
        for (const denied of schedules[denies] ?? [])
          for (const allowed of schedules[allows] ?? []) {
            const answer = ask(
              {
                windows: [
                  ...denied.map((schedule) => deny(schedule, hour)),
                  ...allowed.map((schedule) => allow(schedule, hour)),
                ],
                freezes: other ? [freeze(begins, ends)] : [],
                overrides: one ? [override(begins, ends)] : [],
              },
              now,
            );
            expect(answer.open).toBe(may === 'yes');
          }
    expect([inForce[overridden], inForce[frozen], schedules[denies], schedules[allows]]).not.toContain(
      undefined,
    );
    expect(['yes', 'no']).toContain(may);
  },
);

test('the reasons in the documents are those of their example', () => {
  const windows = [allow('0 22 * * 1-5', 8 * hour, 'Europe/Berlin'), deny('0 0 1 * *', 24 * hour)];
  const freezes = [freeze('2026-12-20T00:00:00Z', '2027-01-02T00:00:00Z')];
  for (const instant of ['2026-07-02T12:00:00Z', '2026-07-01T12:00:00Z', '2026-12-24T00:00:00Z']) {
    const answer = ask({ windows, freezes }, at(instant));
    expect(answer.open).toBe(false);
    if (!answer.open) expect(text).toContain(`\n${answer.reason}\n`);
  }
});
