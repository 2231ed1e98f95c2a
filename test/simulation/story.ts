import { faultKinds, type FaultKind } from './faults.ts';
import type { Violation } from './invariants.ts';
import type { TraceEntry } from './scheduler.ts';
import { simulate, type RunResult, type RunSpec } from './simulate.ts';

/**
 * The same failure with fewer kinds of faults: each is left out in turn, and stays out if it still fails. `needed`:
 * those that are left and struck.
 */
export async function shrink(
  spec: RunSpec,
  violation: Violation,
): Promise<{ readonly smallest: RunResult; readonly needed: readonly FaultKind[] }> {
  let without = new Set<FaultKind>(spec.without);
  for (const kind of faultKinds) {
    const less = new Set([...without, kind]);
    const tried = await simulate({ ...spec, without: less });
    if (tried.violation?.invariant === violation.invariant) without = less;
  }
  const smallest = await simulate({ ...spec, without, traced: true });
  const needed = [...smallest.kinds].filter((kind) => (smallest.faults.get(kind) ?? 0) > 0);
  return { smallest, needed };
}

/** The last events that matter for the host of the violation, for people. */
export function story(result: RunResult, most = 60): readonly string[] {
  const host = result.violation?.host;
  const ids = new Set<string>();
  for (const { what } of result.trace) {
    const found = host === undefined ? undefined : new RegExp(`(d\\d{6,}) (?:for|of) ${host}\\b`).exec(what);
    if (found?.[1] !== undefined) ids.add(found[1]);
  }
  const matters = ({ what }: TraceEntry): boolean => {
    if (/^(##|!!)/.test(what) || what.includes(' lead')) return true;
    if (host === undefined) return what.startsWith('**');
    if (new RegExp(`\\b${host}\\b`).test(what)) return !/ends a sleep|queue (gives|done)/.test(what);
    return [...ids].some((id) => what.includes(id)) && !/store get|queue (gives|done)/.test(what);
  };
  return result.trace.filter(matters).slice(-most).map(line);
}

export function line({ at, what }: TraceEntry): string {
  return `${(at / 1000).toFixed(3).padStart(10)}  ${what}`;
}
