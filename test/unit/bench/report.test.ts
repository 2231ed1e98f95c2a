import { describe, expect, test } from 'vitest';

import { asJson, asTable, figure } from '../../bench/report.ts';

const measured = { bench: 'push', case: 'some paths', unit: 'ms', runs: 5 } as const;

describe('a figure that is promised to be so many times better', () => {
  test('says how many times it is, and that the promise is met from exactly there on', () => {
    const promise = (theirs: number) => figure({ ...measured, ours: 100, theirs, atLeast: 1.5 }).promise;
    expect(promise(150)).toEqual({ times: 1.5, atLeast: 1.5, met: true });
    // What is shown is rounded, what is judged is not.
    expect(promise(149.9)).toEqual({ times: 1.5, atLeast: 1.5, met: false });
  });

  test('has columns of its own in the table, and others none', () => {
    const plain = figure({ ...measured, case: 'plain', ours: 10, theirs: 20 });
    const met = figure({ ...measured, ours: 10, theirs: 20, atLeast: 1.5 });
    const missed = figure({ ...measured, case: 'others', ours: 10, theirs: 20, atLeast: 3 });
    expect(asTable([{ figure: plain, notes: [] }])).not.toContain('at least');
    const lines = asTable([plain, met, missed].map((it) => ({ figure: it, notes: [] }))).split('\n');
    expect(lines[0]).toMatch(/theirs \/ ours +at least$/);
    expect(lines.find((line) => line.includes('some paths'))).toMatch(/0\.50 +5 +2\.00 +1\.5 +met$/);
    expect(lines.find((line) => line.includes('others'))).toMatch(/2\.00 +3\.0 +missed$/);
    expect(lines.find((line) => line.includes('plain'))).toMatch(/0\.50 +5$/);
  });

  test('is the same in JSON as ever where nothing is promised', () => {
    const json = asJson({ figure: figure({ ...measured, ours: 10, theirs: null }), notes: [] });
    expect(JSON.parse(json)).toEqual({ ...measured, ours: 10, theirs: null, ratio: null });
  });
});
