import './light-abort.ts';
import { writeSync } from 'node:fs';
import { simulate } from './simulate.ts';
import { addRun, noTotals, seedAt, type Broken, type Totals } from './totals.ts';

/** Which seeds a child process is to tell: `first + offset`, `first + offset + stride` and so on, below `first + runs`. */
export interface Batch {
  readonly first: string;
  readonly runs: number;
  readonly offset: number;
  readonly stride: number;
  readonly hosts?: number | undefined;
  /** Ends with the first seed that breaks an invariant. */
  readonly stopsAtFirst: boolean;
  /** Takes only a breach of this one for one. */
  readonly invariant?: number | undefined;
}

/** One line of a child's output. */
export type Told =
  | { readonly kind: 'broken'; readonly broken: Broken }
  | { readonly kind: 'totals'; readonly totals: Totals };

function tell(told: Told): void {
  writeSync(1, `${JSON.stringify(told)}\n`);
}

/** The program of a child process: its argument is a batch as JSON. */
async function main(): Promise<void> {
  // Errors are thrown by the thousand, and nobody reads where.
  Error.stackTraceLimit = 0;
  const batch = JSON.parse(process.argv[2] ?? '') as Batch;
  const { first, runs, offset, stride, hosts, stopsAtFirst } = batch;
  let totals = noTotals();
  for (let i = offset; i < runs; i += stride) {
    const seed = seedAt(first, i);
    const result = await simulate({ seed, hosts });
    addRun(totals, result);
    const { violation } = result;
    if (violation !== undefined && violation.invariant === (batch.invariant ?? violation.invariant)) {
      tell({ kind: 'broken', broken: { seed, violation } });
      if (stopsAtFirst) break;
    }
    // Told now and then, so that a long run shows how far it is, and loses little if it is stopped.
    if (totals.runs === 1_000) {
      tell({ kind: 'totals', totals });
      totals = noTotals();
    }
  }
  tell({ kind: 'totals', totals });
}

await main();
