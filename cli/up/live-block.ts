import { cut } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** Some lines at the bottom of a terminal that are painted again and again, and lines that scroll by above them. */
export interface LiveBlock {
  /** Replaces the block. */
  show(lines: readonly string[]): void;
  /** A line that stays, above the block. */
  above(line: string): void;
  /** Leaves the block as it stands and gives the cursor back. */
  close(): void;
}

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

export function createLiveBlock(terminal: Terminal): LiveBlock {
  let shown: readonly string[] = [];
  let open = true;
  terminal.raw(hideCursor);

  /** To the beginning of the block, and nothing below. */
  function erase(): string {
    return shown.length === 0 ? '' : `\u001b[${shown.length}A\r\u001b[0J`;
  }
  function fit(lines: readonly string[]): readonly string[] {
    return lines
      .slice(0, Math.max(1, terminal.rows - 1))
      .map((line) => cut(line, terminal.width - 1, terminal.signs.ellipsis));
  }
  function text(lines: readonly string[]): string {
    return lines.map((line) => `${line}\n`).join('');
  }

  return {
    show(lines) {
      if (!open) return;
      const next = fit(lines);
      // One write, so that nothing flickers; none where nothing changed.
      if (next.length === shown.length && next.every((line, i) => line === shown[i])) return;
      terminal.raw(erase() + text(next));
      shown = next;
    },
    above(line) {
      if (!open) {
        terminal.line(line);
        return;
      }
      // Not cut: it may be the reason of a failure, or a command to copy. It is above, so it may take several rows.
      terminal.raw(`${erase()}${line}\n${text(shown)}`);
    },
    close() {
      if (!open) return;
      open = false;
      terminal.raw(showCursor);
    },
  };
}
