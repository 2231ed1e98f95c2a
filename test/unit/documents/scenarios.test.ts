import { expect, test } from 'vitest';
import { isThere, readDocument, section, tableRows } from './read-documents.ts';

const rows = tableRows(section(readDocument('docs/reliability.md'), '## Scenarios'));
const named = rows.flatMap(([scenario = '', what = '', where = '', title = '']) =>
  where === ''
    ? []
    : [{ scenario: scenario === '' ? what : scenario, file: where.replaceAll('`', ''), title }],
);

const numbered = (letter: string, last: number): readonly string[] =>
  Array.from({ length: last }, (_, i) => `${letter}${i + 1}`);

test('every scenario of the four lists has its row', () => {
  const told = rows.map(([scenario]) => scenario).filter((scenario) => scenario !== '');
  expect(told).toEqual([...numbered('R', 14), ...numbered('D', 6), ...numbered('K', 7), ...numbered('L', 5)]);
});

test.each(named)('$file has the test that $scenario names: $title', ({ file, title }) => {
  expect(isThere(file)).toBe(true);
  // As a whole text in quotes: the title of a test, or of one of the cases that it is made for.
  const quoted = ["'", '`'].map((quote) => `${quote}${title}${quote}`);
  const { text } = readDocument(file);
  expect(quoted.some((each) => text.includes(each))).toBe(true);
});

test('what no test shows is said to be so', () => {
  const without = rows.filter(([, , where]) => where === '').map(([, , , said = '']) => said);
  for (const said of without) expect(said).toMatch(/^(does not apply: |not covered)/);
});
