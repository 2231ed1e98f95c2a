import { describe, expect, test } from 'vitest';
import { completionScript } from '../../../cli/completion.ts';
import { exitCodeMeanings, exitCodeOf, exitCodes } from '../../../cli/exit-codes.ts';
import { parseAddress, parseScan } from '../../../cli/commands/scan-key.ts';
import { parseDuration } from '../../../cli/parse-duration.ts';
import { cut, renderTable } from '../../../cli/table.ts';
import { createTerminal, harmless } from '../../../cli/terminal.ts';
import { ago, bytes, duration, shortPath, until } from '../../../cli/words.ts';
import { parseListen } from '../../../cli/up/data-folder.ts';
import { errorCodes, FleetError } from '../../../shared/domain/errors.ts';

const nowhere = { write: () => true };
const plain = createTerminal({ stdout: nowhere, stderr: nowhere, env: {} });
const tty = { ...nowhere, isTTY: true, columns: 60 };

describe('times and sizes', () => {
  test.each([
    [0, '0 ms'],
    [850, '850 ms'],
    [2_340, '2.3 s'],
    [42_000, '42 s'],
    [65_000, '1 min 5 s'],
    [7_800_000, '2 h 10 min'],
    [273_600_000, '3 d 4 h'],
  ])('%d ms are %s', (ms, text) => expect(duration(ms)).toBe(text));

  test.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [34_816, '34.0 KiB'],
    [1_288_490_189, '1.2 GiB'],
    [-120_000, '-117 KiB'],
  ])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

  test('the past and the future are told by one unit', () => {
    expect(ago(1_000, 1_500)).toBe('just now');
    expect(ago(0, 300_000)).toBe('5 min ago');
    expect(until(40_000, 0)).toBe('in 40 s');
    expect(until(0, 1)).toBe('now');
  });

  test.each([
    ['90', 90_000],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['250ms', 250],
  ])('%s is understood', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(['', 'soon', '-5s', '5x', '1h later', '1.5h', '5 m'])('%j is no length of time', (text) => {
    expect(() => parseDuration(text)).toThrow(FleetError);
  });
});

describe('what is shown', () => {
  test('text of others can neither move the cursor nor hide what follows', () => {
    expect(harmless('\u001b[31mred\u001b[0m\r\u0007 \u202Egpj.exe\ttab')).toBe('[31mred[0m gpj.exe\ttab');
  });

  test('a row that is too long for the terminal is cut, with its colours closed', () => {
    expect(cut('\u001b[31mabcdefgh\u001b[39m', 5, '~')).toBe('\u001b[31mabcd\u001b[39m\u001b[0m~');
    expect(cut('abc', 5, '~')).toBe('abc');
  });

  test('colours take no room in a table', () => {
    const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;
    const [head, one, two] = renderTable(
      [{ title: 'A' }, { title: 'N', align: 'right' }],
      [
        [red('x'), '1'],
        ['longer', '12'],
      ],
      plain,
    );
    expect([head, one, two]).toEqual(['A        N', `${red('x')}        1`, 'longer  12']);
  });

  test('colours are for terminals, and not where NO_COLOR is set', () => {
    const painted = (stdout: typeof tty | typeof nowhere, env: Record<string, string>): string =>
      createTerminal({ stdout, stderr: nowhere, env }).paint('red', 'x');
    expect(painted(nowhere, {})).toBe('x');
    expect(painted(tty, {})).not.toBe('x');
    expect(painted(tty, { NO_COLOR: '1' })).toBe('x');
    expect(painted(tty, { TERM: 'dumb' })).toBe('x');
    expect(painted(nowhere, { FORCE_COLOR: '1' })).not.toBe('x');
    expect(painted(nowhere, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe('x');
  });

  test('signs are plain where the terminal knows no Unicode', () => {
    expect(createTerminal({ stdout: tty, stderr: nowhere, env: { LANG: 'C' } }).signs.good).toBe('+');
    expect(createTerminal({ stdout: tty, stderr: nowhere, env: { LANG: 'de_DE.UTF-8' } }).signs.good).toBe(
      '✓',
    );
  });

  test('a store path is told by its name and the beginning of its hash', () => {
    expect(shortPath(`/nix/store/${'a'.repeat(32)}-nixos-system-web1`)).toBe('aaaaaaa-nixos-system-web1');
  });
});

describe('exit codes', () => {
  test('every one is explained in the help', () => {
    expect(Object.keys(exitCodeMeanings).map(Number)).toEqual(Object.values(exitCodes));
  });

  test('every error code has one, and none is 0', () => {
    for (const code of errorCodes) {
      expect(exitCodeOf(new FleetError({ code, disposition: 'stalled', message: 'x' }))).toBeGreaterThan(0);
    }
    expect(exitCodeOf(new Error('x'))).toBe(exitCodes.failed);
  });
});

describe('what is read', () => {
  const key = Buffer.from('a key').toString('base64');
  test('keys of a scan are put in order, once each, with fingerprints', () => {
    const keys = parseScan(
      `# web1:22 SSH-2.0\nweb1 ssh-rsa ${key}\n[web1]:2222 ssh-ed25519 ${key}\nweb1 ssh-rsa ${key}\nnoise\n`,
    );
    expect(keys.map((each) => each.key)).toEqual([`ssh-ed25519 ${key}`, `ssh-rsa ${key}`]);
    expect(keys[0]?.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  test.each(['web1', 'web1.example.com', '10.0.0.7', 'fe80::1'])('%s is an address', (text) =>
    expect(parseAddress(text)).toBe(text),
  );
  test.each(['-oProxyCommand=x', '--option', 'a b', 'root@web1', 'a\nb', '', '.', 'web1:22/x'])(
    '%j is no address',
    (text) => {
      expect(() => parseAddress(text)).toThrow(FleetError);
    },
  );

  test('a place to listen at', () => {
    expect(parseListen('127.0.0.1:7420')).toEqual({ address: '127.0.0.1', port: 7420 });
    expect(parseListen('[::1]:80')).toEqual({ address: '::1', port: 80 });
    expect(parseListen(':80')).toEqual({ address: '127.0.0.1', port: 80 });
    for (const wrong of ['7420', 'localhost', 'x:0', 'x:70000', 'a b:1', '--x'])
      expect(() => parseListen(wrong)).toThrow(FleetError);
  });

  test('there is a completion for three shells, and a clear answer for others', () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      expect(completionScript(shell)).toContain('varve complete --');
    expect(() => completionScript('constructor')).toThrow(/no completion/);
  });
});
