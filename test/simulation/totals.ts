import type { Violation } from './invariants.ts';
import type { RunResult } from './simulate.ts';

/** What many runs did, summed up. Plain JSON: it travels between processes. */
export interface Totals {
  runs: number;
  steps: number;
  activations: number;
  readonly faults: Record<string, number>;
  readonly verdicts: Record<string, number>;
}

/** A seed that broke an invariant. */
export interface Broken {
  readonly seed: string;
  readonly violation: Violation;
}

export function noTotals(): Totals {
  return { runs: 0, steps: 0, activations: 0, faults: {}, verdicts: {} };
}

export function addRun(to: Totals, result: RunResult): void {
  to.runs += 1;
  to.steps += result.steps;
  to.activations += result.activations;
  addCounts(to.faults, result.faults);
  addCounts(to.verdicts, result.verdicts);
}

export function addTotals(to: Totals, more: Totals): void {
  to.runs += more.runs;
  to.steps += more.steps;
  to.activations += more.activations;
  addCounts(to.faults, Object.entries(more.faults));
  addCounts(to.verdicts, Object.entries(more.verdicts));
}

function addCounts(to: Record<string, number>, counts: Iterable<readonly [string, number]>): void {
  for (const [what, count] of counts) to[what] = (to[what] ?? 0) + count;
}

/** Seeds that are numbers count up; others get a number appended. */
export function seedAt(first: string, i: number): string {
  if (i === 0) return first;
  return /^\d{1,15}$/.test(first) ? `${Number(first) + i}` : `${first}+${i}`;
}
