/** The middle one; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** The median in milliseconds, with the spread, for people. */
export function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${Math.round(least)} to ${Math.round(most)} ms`;
}

/** Of what was measured side by side: less moved by what else the machine does than the ratio of the medians. */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): string {
  return median(ours.map((value, run) => value / (theirs[run] ?? Number.NaN))).toFixed(2);
}

/** How long something took, in milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Both sides, turn by turn: whatever else the machine does then is the same for both. */
export async function interleaved(
  runs: number,
  sides: { readonly ours: () => Promise<number>; readonly theirs: () => Promise<number> },
): Promise<{ readonly ours: readonly number[]; readonly theirs: readonly number[] }> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    ours.push(await sides.ours());
    theirs.push(await sides.theirs());
  }
  return { ours, theirs };
}
