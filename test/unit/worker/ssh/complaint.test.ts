import { expect, test } from 'vitest';

import { createComplaint } from '../../../../worker/ssh/complaint.ts';

/** What is shown of this, in chunks of so many bytes. */
function shown(said: string, size = 100_000): string {
  const complaint = createComplaint();
  const bytes = Buffer.from(said);
  for (let at = 0; at < bytes.length; at += size) complaint.add(bytes.subarray(at, at + size));
  return complaint.text();
}

test('colours, titles, bells and other orders to a terminal are not shown', () => {
  const said = '\u001b[31;1merror:\u001b[0m it \u001b]0;a title\u0007broke\u0007\u0000\u009b2J\r\n';
  expect(shown(said)).toBe('error: it broke2J');
});

test('the empty lines by which a host looks whether the line is there are not shown', () => {
  expect(shown('\n\n\nzstd: bad frame\n\n\n')).toBe('zstd: bad frame');
});

test.each([1, 2, 3, 7])('characters that come in chunks of %i bytes are whole', (size) => {
  expect(shown('kein Platz übrig – 无空间 🙁\n', size)).toBe('kein Platz übrig – 无空间 🙁');
});

test('of much only the last lines are kept, whole ones', () => {
  const line = (n: number): string => `\u001b[32m${n}: ${'ä'.repeat(90)}\u001b[m`;
  const text = shown(Array.from({ length: 10_000 }, (_, n) => `${line(n)}\n`).join(''), 1_000);
  expect(text.length).toBeLessThanOrEqual(4_000);
  const lines = text.split('\n');
  expect(lines.length).toBeGreaterThan(30);
  expect(lines.at(-1)).toBe(`9999: ${'ä'.repeat(90)}`);
  for (const each of lines) expect(each).toMatch(/^\d+: ä{90}$/);
});

test('of a line without an end no more than that is kept', () => {
  expect(shown('x'.repeat(1_000_000), 1_000)).toMatch(/^x{3900,4000}…$/);
});
