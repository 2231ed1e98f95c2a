import { describe, expect, test } from 'vitest';

import { createNixLogReader, plainText, type NixEvent } from '../../../../worker/nix/log.ts';

function read(...lines: readonly string[]): readonly NixEvent[] {
  const events: NixEvent[] = [];
  const reader = createNixLogReader((event) => events.push(event));
  for (const line of lines) reader(line);
  return events;
}

describe('the log of Nix', () => {
  test('says which derivation is built, and the lines of its builder', () => {
    const drvPath = '/nix/store/41w1ky03i6zk7s51jipgrdpr3dcbgs9l-x.drv';
    expect(
      read(
        `@nix {"action":"start","fields":["${drvPath}","",1,1],"id":7,"level":3,"text":"building","type":105}`,
        '@nix {"action":"result","fields":["\\u001b[31mred\\u001b[0m\\ttext"],"id":7,"type":101}',
        '@nix {"action":"stop","id":7}',
      ),
    ).toEqual([
      { kind: 'build-started', id: 7, drvPath },
      { kind: 'build-line', id: 7, line: 'red\ttext' },
      { kind: 'stopped', id: 7 },
    ]);
  });

  test('gives an error its place, its own words and its trace', () => {
    const [event] = read(
      '@nix {"action":"msg","column":5,"file":"/f.nix","level":0,"line":3,"msg":"\\u001b[31;1merror:\\u001b[0m no","raw_msg":"no","trace":[{"raw_msg":"while","file":"/g.nix","line":1,"column":1},{"raw_msg":"outer"}]}',
    );
    expect(event).toEqual({
      kind: 'message',
      level: 0,
      text: 'error: no',
      summary: 'no',
      at: { file: '/f.nix', line: 3 },
      trace: [
        { text: 'while', at: { file: '/g.nix', line: 1 } },
        { text: 'outer', at: undefined },
      ],
    });
  });

  test('ignores activities, results and actions that it does not know', () => {
    expect(
      read(
        '@nix {"action":"start","id":1,"level":1,"text":"","type":9999,"fields":["x"]}',
        '@nix {"action":"result","fields":[1,2],"id":1,"type":110}',
        '@nix {"action":"dance"}',
        '@nix [1]',
        '@nix not json',
      ),
    ).toEqual([]);
  });

  test('puts together an event whose line was cut into pieces', () => {
    const long = `@nix ${JSON.stringify({ action: 'msg', level: 0, msg: 'x'.repeat(150_000), raw_msg: 'end' })}`;
    const pieces = [long.slice(0, 65_536), long.slice(65_536, 131_072), long.slice(131_072)];
    const [event, ...more] = read(...pieces, '@nix {"action":"stop","id":1}');
    expect(event).toMatchObject({ kind: 'message', summary: 'end' });
    expect(more).toEqual([{ kind: 'stopped', id: 1 }]);
  });

  test('takes a line of another program for a message', () => {
    expect(read('ssh: connect to host x port 22: Connection refused')).toMatchObject([
      { kind: 'message', level: 2, text: 'ssh: connect to host x port 22: Connection refused' },
    ]);
  });
});

test('plain text has no escape sequences and no control characters but tab and line feed', () => {
  expect(plainText('\u001b[1;31ma\u001b[0m\u001b]8;;http://x\u0007b\u001b]8;;\u0007\r\n\tc\u0000')).toBe(
    'ab\n\tc',
  );
});
