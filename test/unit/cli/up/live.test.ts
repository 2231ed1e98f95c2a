import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createTerminal, type Terminal } from '../../../../cli/terminal.ts';
import { fleetLines } from '../../../../cli/up/fleet-lines.ts';
import { createLiveBlock } from '../../../../cli/up/live-block.ts';
import { aHost, aStatus, revisions } from '../../../support/fake-fleet.ts';

const at = Date.UTC(2026, 10, 22, 12, 0, 0);

/** A terminal of 80 columns and some rows that shows what it was written: enough of one for a block at its end. */
function aTerminal(lang: string, rows = 12): { terminal: Terminal; screen: () => readonly string[] } {
  let text = '';
  const stdout = { write: (more: string) => (text += more), isTTY: true, columns: 80, rows };
  const terminal = createTerminal({ stdout, stderr: stdout, env: { LANG: lang, TERM: 'xterm' } });
  return {
    terminal,
    screen() {
      const lines = [''];
      // oxlint-disable-next-line no-control-regex -- what moves the cursor begins with the escape character
      for (const [piece] of text.matchAll(/\u001b\[[?0-9;]*[A-Za-z]|[^\u001b]/gu)) {
        const up = piece.startsWith('\u001b') ? /(\d+)A$/.exec(piece)?.[1] : undefined;
        // Only whole blocks are erased, down to the end: what was above is what is left.
        if (up !== undefined) lines.splice(lines.length - 1 - Number(up), Number(up) + 1, '');
        else if (piece === '\n') lines.push('');
        else if (!piece.startsWith('\u001b') && piece !== '\r') lines.push(`${lines.pop() ?? ''}${piece}`);
      }
      return lines;
    },
  };
}

const moving = aHost('web1', {
  sync: 'OutOfSync',
  health: 'Progressing',
  verdict: 'deliver',
  deployment: {
    id: 'd000001',
    phase: 'delivering',
    action: 'activate',
    observation: 2,
    revision: revisions.new,
    createdAt: at - 4_000,
    phaseAt: at,
    activity: 'copying path - of many · and more',
    progress: { what: 'paths', done: 12, total: 40 },
  },
});
const waiting = aHost('db1', {
  sync: 'OutOfSync',
  health: 'Unreachable',
  verdict: 'unreachable',
  reason: 'no route',
  waitsFor: 'contact',
  until: at + 40_000,
});

describe.each([
  ['with UTF-8', 'C.UTF-8', '·', '━', '●'],
  ['without UTF-8', 'C', '-', '#', '*'],
])('the lines of a fleet %s', (_what, lang, dot, full, sign) => {
  const { terminal } = aTerminal(lang);
  const lines = fleetLines(aStatus({ hosts: [moving, waiting] }), terminal, at, 20).map((line) =>
    stripVTControlCharacters(line),
  );
  const lineOf = (host: string): string => lines.find((line) => line.includes(` ${host} `)) ?? '';

  test('say what is happening on a host: phase, bar, time, how far, and the last line', () => {
    expect(lineOf('web1')).toMatch(/^\S {2}web1 +delivering +\S+ +4\.0 s {2}12 of 40 paths \S copying path/);
    expect(lineOf('web1').startsWith(sign)).toBe(true);
    expect(lineOf('web1')).toContain(full.repeat(3));
    expect(lineOf('web1')).toContain(` ${dot} copying`);
  });

  test('say what is waited for where nothing happens', () => {
    expect(lineOf('db1')).toMatch(/db1 +Unreachable +no route \S waits for contact \(in 40 s\)/);
    expect(lineOf('db1')).toContain(` ${dot} waits`);
  });

  test('are not wider than the terminal', () => {
    for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(80);
  });
});

test('of a large fleet the worst are shown, and how many are not', () => {
  const hosts = [...Array.from({ length: 50 }, (_, i) => aHost(`host${i}`)), waiting];
  const lines = fleetLines(aStatus({ hosts }), aTerminal('C').terminal, at, 15).map((line) =>
    stripVTControlCharacters(line),
  );
  expect(lines.length).toBeLessThanOrEqual(15);
  expect(lines.some((line) => line.includes(' db1 '))).toBe(true);
  expect(lines.at(-1)).toMatch(/and \d+ more hosts, doing better/);
});

describe.each([
  ['with UTF-8', 'C.UTF-8', '…'],
  ['without UTF-8', 'C', '~'],
])('the live block %s', (_what, lang, ellipsis) => {
  test('replaces itself, and keeps what is said above it', () => {
    const { terminal, screen } = aTerminal(lang);
    const block = createLiveBlock(terminal);
    block.show(['one', 'two', 'three']);
    block.above('it began');
    block.show(['four']);
    block.above('it ended');
    expect(screen()).toEqual(['it began', 'it ended', 'four', '']);
  });

  test('is never more than the terminal shows at once, and no line of it wraps', () => {
    const { terminal, screen } = aTerminal(lang, 4);
    const block = createLiveBlock(terminal);
    block.show(Array.from({ length: 9 }, (_, i) => `${i}${'x'.repeat(100)}`));
    expect(screen()).toHaveLength(4);
    expect(screen()[0]).toBe(`0${'x'.repeat(77)}${ellipsis}`);
    block.show(['less']);
    expect(screen()).toEqual(['less', '']);
  });

  test('stays as it is once it is closed; what is said later is below', () => {
    const { terminal, screen } = aTerminal(lang);
    const block = createLiveBlock(terminal);
    block.show(['last']);
    block.close();
    block.show(['too late']);
    block.above('stopping');
    expect(screen()).toEqual(['last', 'stopping', '']);
  });
});
