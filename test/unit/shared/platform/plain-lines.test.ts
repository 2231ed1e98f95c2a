import { describe, expect, test } from 'vitest';

import { lastLines, plainLines } from '../../../../shared/platform/plain-lines.ts';

describe('plain lines', () => {
  test.each([
    ['', ['']],
    ['\n', ['']],
    ['a\n\nb\n', ['a', '', 'b']],
    ['a\r', ['a']],
    ['a\rb\r\n', ['b']],
    ['\r', ['']],
    ['\u001b[1;31mred\u001b[m', ['red']],
    ['\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', ['link']],
    ['\u009b31mred', ['31mred']],
    ['a\u0000b\u0008c\u007f', ['abc']],
    ['tab\there', ['tab\there']],
  ])('%j', (text, lines) => {
    expect(plainLines(text, 100)).toEqual(lines);
  });

  test('are cut between characters', () => {
    for (let most = 4; most < 40; most += 1) {
      const [line = ''] = plainLines('ä€😀'.repeat(10), most);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(most);
      expect(line).not.toContain('\ufffd');
    }
  });
});

describe('the last lines', () => {
  test.each([
    ['are those without what a terminal would do', '\u001b[31mno\u001b[m\u0007 way\u009b', 'no way'],
    ['leave out blank ones', '\n\none\n \n\n\ttwo \r\n\n', 'one\n\ttwo'],
    ['are whole ones, as many as there is room for', `${'x'.repeat(15)}\none\ntwo`, 'one\ntwo'],
    [
      'are the beginning of the last where that is too long',
      `one\n${'x'.repeat(30)}\n`,
      `${'x'.repeat(17)}…`,
    ],
    ['are nothing of nothing', '\n', ''],
    ['are what little is looked at of much', `${'lost\n'.repeat(1_000_000)}${'x'.repeat(70)}\nlast`, 'last'],
    [
      'are the beginning of the last of much',
      `${'lost\n'.repeat(99)}why${'x'.repeat(99)}\n`,
      'whyxxxxxxxxxxxxxx…',
    ],
  ])('%s', (_, text, shown) => {
    expect(lastLines(text, 20)).toBe(shown);
  });
});
