import { faultKinds, type FaultKind } from './faults.ts';
import type { TraceEntry } from './scheduler.ts';
import { simulate, type RunResult, type RunSpec } from './simulate.ts';

/** The same failure with fewer kinds of faults: each is left out in turn, and stays out if it still fails. */
export async function shrink(spec: RunSpec, failed: RunResult): Promise<RunResult> {
  let smallest = failed;
  const without = new Set<FaultKind>(spec.without);
  for (const kind of faultKinds) {
    if (!smallest.kinds.has(kind)) continue;
    const tried = await simulate({ ...spec, without: new Set([...without, kind]) });
    if (tried.violation?.invariant !== failed.violation?.invariant) continue;
    without.add(kind);
    smallest = tried;
  }
  return smallest;
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
