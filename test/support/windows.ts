import { mayStart, type MayStart, type StartRules } from '../../controller/reconcile/plan/windows.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { Freeze, Scope, Window } from '../../shared/domain/policy.ts';
import { host } from './builders.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;
const fleet: Scope = { kind: 'fleet' };

export function at(text: string): number {
  return Date.parse(text);
}

export function allow(schedule: string, durationMs: number, timeZone = 'UTC'): Window {
  return { kind: 'allow', schedule, durationMs, timeZone };
}

export function deny(schedule: string, durationMs: number, timeZone = 'UTC'): Window {
  return { kind: 'deny', schedule, durationMs, timeZone };
}

export function freeze(from: string, until: string, scope = fleet): Freeze {
  return { from: at(from), until: at(until), reason: 'holidays', author: 'ada', scope };
}

export function override(from: string, until: string, scope = fleet): FactOf<'override'> {
  return { kind: 'override', at: at(from), until: at(until), by: 'bob', reason: 'CVE-2026-1', scope };
}

/** web1 is in the group routers. */
export function ask(rules: Partial<StartRules>, now: string | number): MayStart {
  const member = { name: host('web1'), groups: ['routers'] };
  const given = { windows: [], freezes: [], overrides: [], member, ...rules };
  return mayStart(given, typeof now === 'number' ? now : at(now));
}

/** When windows open and close in a time, found out by following `until`. */
export function openings(windows: readonly Window[], from: string, to: string): string[] {
  const found: string[] = [];
  let now: number | undefined = at(from);
  while (now !== undefined && now < at(to)) {
    const answer = ask({ windows }, now);
    if (answer.open) {
      found.push(`${new Date(now).toISOString()} for ${((answer.until ?? Infinity) - now) / minute} min`);
    }
    now = answer.until;
  }
  return found;
}
