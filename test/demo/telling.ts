import { setTimeout as pause } from 'node:timers/promises';

import { createTerminal } from '../../cli/terminal.ts';
import { renderTable } from '../../cli/table.ts';
import { bytes, duration } from '../../cli/words.ts';
import type { Stage } from './stage.ts';

/** What a chapter took. */
export interface Measured {
  readonly title: string;
  /** From the push until the fleet was at rest, in milliseconds. */
  readonly tookMs: number;
  /** How long the evaluation took; undefined when the tree was known. */
  readonly evaluationMs: number | undefined;
  readonly builds: number;
  readonly pushedBytes: number;
  readonly outcomes: readonly string[];
}

/** How the story is told: to people at their pace, or as checks that pass or not. */
export interface Telling {
  say(text: string): void;
  chapter(title: string, tells: string): Promise<void>;
  check(says: string): Promise<void>;
  broken(says: string, why: string): void;
  table(rows: readonly Measured[]): void;
}

export function createTelling(options: { readonly paced: boolean; readonly signal: AbortSignal }): Telling {
  const terminal = createTerminal({ stdout: process.stdout, stderr: process.stderr, env: process.env });
  const { paint, signs } = terminal;
  const breathe = async (ms: number): Promise<void> => {
    if (options.paced) await pause(ms, undefined, { signal: options.signal }).catch(() => {});
  };
  return {
    say: (text) => terminal.line(text),
    async chapter(title, tells) {
      terminal.line(`\n${paint('bold', title)}: ${tells}`);
      await breathe(2_000);
    },
    async check(says) {
      terminal.line(`  ${paint('green', signs.good)} ${says}`);
      await breathe(700);
    },
    broken(says, why) {
      terminal.line(`  ${paint('red', signs.bad)} ${says}`);
      for (const line of why.split('\n').slice(0, 40)) terminal.line(`    ${line}`);
    },
    table(rows) {
      const right = { align: 'right' } as const;
      const columns = [
        { title: 'STEP' },
        { title: 'TOOK', ...right },
        { title: 'EVALUATION', ...right },
        { title: 'BUILDS', ...right },
        { title: 'PUSHED', ...right },
        { title: 'DEPLOYMENTS' },
      ];
      const cells = rows.map((row) => [
        row.title,
        duration(row.tookMs),
        row.evaluationMs === undefined ? 'known' : duration(row.evaluationMs),
        String(row.builds),
        bytes(row.pushedBytes),
        row.outcomes.join(', '),
      ]);
      terminal.line();
      for (const line of renderTable(columns, cells, terminal)) terminal.line(line);
    },
  };
}

/** What ledger and API say about a revision. */
export async function measure(
  stage: Stage,
  title: string,
  revision: string,
  tookMs: number,
): Promise<Measured> {
  const [outcomes, evaluations] = await Promise.all([stage.outcomes(revision), stage.evaluations()]);
  return {
    title,
    tookMs,
    evaluationMs: evaluations.length === 0 ? undefined : sum(evaluations),
    builds: sum(outcomes.map(({ delivery }) => delivery?.builds ?? 0)),
    pushedBytes: sum(outcomes.map(({ delivery }) => delivery?.pushedBytes ?? 0)),
    outcomes: outcomes.map(({ aim, phase }) => `${aim.host} ${phase}`),
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
