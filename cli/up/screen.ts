import type { Status } from '../../shared/contracts/api.ts';
import type { Terminal } from '../terminal.ts';
import { clockTime } from '../words.ts';
import { fleetLines } from './fleet-lines.ts';
import { createLiveBlock } from './live-block.ts';

/** What the person at the terminal sees: lines that scroll, and on a terminal a live block below them. */
export interface Screen {
  say(line: string): void;
  note(text: string, grade: 'warn' | 'error' | 'plain'): void;
  happened(line: string, at: number): void;
  status(status: Status): void;
  close(): void;
}

export function createScreen(deps: { readonly terminal: Terminal; readonly now: () => number }): Screen {
  const { terminal } = deps;
  const block = terminal.interactive ? createLiveBlock(terminal) : undefined;
  const write = (line: string): void => {
    if (block === undefined) terminal.line(line);
    else block.above(line);
  };
  const stamped = (line: string, at: number): void => {
    const time = terminal.interactive ? clockTime(at).slice(11) : new Date(at).toISOString();
    write(`${terminal.paint('dim', time)}  ${line}`);
  };
  let last: Status | undefined;
  const paint = (): void => {
    if (last !== undefined) block?.show(['', ...fleetLines(last, terminal, deps.now(), terminal.rows - 1)]);
  };
  // Times pass on the screen even where nothing happens.
  const ticking = block === undefined ? undefined : setInterval(paint, 1_000);
  return {
    say: write,
    note(text, grade) {
      const painted =
        grade === 'error'
          ? terminal.paint('red', text)
          : grade === 'warn'
            ? terminal.paint('yellow', text)
            : text;
      stamped(painted, deps.now());
    },
    happened: stamped,
    status(status) {
      last = status;
      paint();
    },
    close() {
      clearInterval(ticking);
      block?.close();
    },
  };
}
