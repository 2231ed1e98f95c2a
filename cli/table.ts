import { stripVTControlCharacters } from 'node:util';
import type { Terminal } from './terminal.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/**
 * Rows under their titles. The last column is cut where the terminal ends, so that one row is one line. Cells may be
 * painted: their colours take no room.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, 'width' | 'paint' | 'signs'>,
): readonly string[] {
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => visibleLength(row[i] ?? ''))),
  );
  const render = (cells: readonly string[]): string => {
    const padded = cells.map((cell, i) => {
      const gap = ' '.repeat(Math.max(0, (widths[i] ?? 0) - visibleLength(cell)));
      if (columns[i]?.align === 'right') return gap + cell;
      return i === cells.length - 1 ? cell : cell + gap;
    });
    return cut(padded.join('  '), terminal.width, terminal.signs.ellipsis).trimEnd();
  };
  return [terminal.paint('dim', render(columns.map((column) => column.title))), ...rows.map(render)];
}

export function visibleLength(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

/** At most `width` visible characters; colours are kept whole and closed. */
export function cut(text: string, width: number, ellipsis: string): string {
  if (visibleLength(text) <= width) return text;
  const room = Math.max(0, width - ellipsis.length);
  let out = '';
  let seen = 0;
  let coloured = false;
  // oxlint-disable-next-line no-control-regex -- colours begin with the escape character
  for (const [piece] of text.matchAll(/\u001b\[[0-9;]*m|./gsu)) {
    if (piece.startsWith('\u001b')) {
      out += piece;
      coloured = true;
    } else if (seen < room) {
      out += piece;
      seen += 1;
    }
  }
  return coloured ? `${out}\u001b[0m${ellipsis}` : out + ellipsis;
}
