import { styleText } from 'node:util';

/** Where a command writes, and what that place can show. */
export interface Terminal {
  /** A line for the reader of the result. */
  line(text?: string): void;
  /** Text as it is, without a line end. */
  raw(text: string): void;
  /** A line beside the result: errors, hints, progress. */
  aside(text: string): void;
  /** A person looks at standard output. */
  readonly interactive: boolean;
  /** Columns; unlimited where nobody looks. */
  readonly width: number;
  readonly rows: number;
  readonly paint: Paint;
  readonly signs: Signs;
}

type Colour = 'green' | 'yellow' | 'red' | 'cyan' | 'blue' | 'dim' | 'bold';
export type Paint = (colour: Colour, text: string) => string;

/** Small pictures, plain where the terminal knows no Unicode. */
export interface Signs {
  readonly good: string;
  readonly bad: string;
  readonly moving: string;
  readonly waiting: string;
  readonly dot: string;
  readonly arrow: string;
  readonly full: string;
  readonly empty: string;
  readonly ellipsis: string;
}

const pictures: Signs = {
  good: '✓',
  bad: '✗',
  moving: '●',
  waiting: '○',
  dot: '·',
  arrow: '→',
  full: '━',
  empty: '─',
  ellipsis: '…',
};

const letters: Signs = {
  good: '+',
  bad: 'x',
  moving: '*',
  waiting: 'o',
  dot: '-',
  arrow: '->',
  full: '#',
  empty: '.',
  ellipsis: '~',
};

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** Colours only for a terminal, and not where NO_COLOR is set or the terminal is dumb; FORCE_COLOR asks for them. */
export function createTerminal(deps: {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Terminal {
  const { env, stdout, stderr } = deps;
  const tty = stdout.isTTY === true;
  const forced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const coloured = !refused && (tty || forced);
  const unicode = /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '');
  return {
    line: (text = '') => void stdout.write(`${text}\n`),
    raw: (text) => void stdout.write(text),
    aside: (text) => void stderr.write(`${text}\n`),
    interactive: tty && env['TERM'] !== 'dumb' && (env['CI'] ?? '') === '',
    get width() {
      return tty ? Math.max(40, stdout.columns ?? 80) : Number.MAX_SAFE_INTEGER;
    },
    get rows() {
      return stdout.rows ?? 24;
    },
    paint: (colour, text) => (coloured ? styleText(colour, text, { validateStream: false }) : text),
    signs: unicode ? pictures : letters,
  };
}

/** Text of others (commits, logs, hosts) cannot move the cursor or change colours. */
export function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, (character) =>
    character === '\n' || character === '\t' ? character : '',
  );
}

/** Every text in a value, made harmless. */
export function harmlessDeep(value: unknown): unknown {
  if (typeof value === 'string') return harmless(value);
  if (Array.isArray(value)) return value.map(harmlessDeep);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, harmlessDeep(inner)]));
  }
  return value;
}
