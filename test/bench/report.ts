import { cpus, loadavg, totalmem } from 'node:os';

/** One measured case. Times are in milliseconds, memory in MiB: the medians of `runs` runs. */
export interface Figure {
  readonly bench: string;
  readonly case: string;
  readonly ours: number;
  /** What Varve is compared with, or the limit that is promised; `null`: a figure for itself. */
  readonly theirs: number | null;
  /** `ours / theirs`: "at most" is what is promised of each of these. */
  readonly ratio: number | null;
  readonly unit: 'ms' | 'MiB';
  readonly runs: number;
  /** What is promised instead where ours is to be faster: `theirs / ours`, which is to be `atLeast` so much. */
  readonly promise?: { readonly times: number; readonly atLeast: number; readonly met: boolean };
}

export interface Measured {
  readonly figure: Figure;
  /** For people: what the figure is compared with, its target, where the time went. */
  readonly notes: readonly string[];
}

export function figure(init: Omit<Figure, 'ratio' | 'promise'> & { readonly atLeast?: number }): Figure {
  const { bench, ours, theirs, unit, runs, atLeast } = init;
  return {
    bench,
    case: init.case,
    ours: rounded(ours, 10),
    theirs: theirs === null ? null : rounded(theirs, 10),
    ratio: theirs === null ? null : rounded(ours / theirs, 100),
    unit,
    runs,
    ...(theirs === null || atLeast === undefined ? {} : { promise: promise(theirs / ours, atLeast) }),
  };
}

function promise(times: number, atLeast: number): NonNullable<Figure['promise']> {
  return { times: rounded(times, 100), atLeast, met: times >= atLeast };
}

/** One JSON object, as a line. */
export function asJson({ figure }: Measured): string {
  return `${JSON.stringify(figure)}\n`;
}

/** A table for people, with the notes below it. */
export function asTable(measured: readonly Measured[]): string {
  const promises = measured.some(({ figure }) => figure.promise !== undefined);
  const rows = [
    [
      ...['bench', 'case', 'ours', 'theirs', 'ours / theirs', 'runs'],
      ...(promises ? ['theirs / ours', 'at least', ''] : []),
    ],
    ...measured.map(({ figure: { bench, case: name, ours, theirs, ratio, unit, runs, promise } }) => [
      bench,
      name,
      `${ours} ${unit}`,
      theirs === null ? '' : `${theirs} ${unit}`,
      ratio === null ? '' : ratio.toFixed(2),
      String(runs),
      ...(promise === undefined
        ? []
        : [promise.times.toFixed(2), promise.atLeast.toFixed(1), promise.met ? 'met' : 'missed']),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  const notes = measured.flatMap(({ figure, notes }) =>
    notes.map((note) => `${figure.bench}, ${figure.case}: ${note}`),
  );
  return [...lines, '', ...notes, machine(), ''].join('\n');
}

/** Figures mean little without it. */
function machine(): string {
  const processors = cpus();
  const load = loadavg().map((value) => value.toFixed(1));
  return [
    `${processors.length} × ${processors[0]?.model ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    `Node ${process.version}`,
    `load ${load.join(' ')}`,
  ].join(', ');
}

function rounded(value: number, to: number): number {
  return Math.round(value * to) / to;
}
