import type { HostName } from '../../shared/domain/names.ts';
import type { Freeze, Scope, Window } from '../../shared/domain/policy.ts';
import type { Random } from './random.ts';

const minuteMs = 60_000;

/** Opens again every few minutes, which most stories see. */
function aWindow(kind: Window['kind'], every: number, minutes: number): Window {
  return { kind, schedule: `*/${every} * * * *`, durationMs: minutes * minuteMs, timeZone: 'UTC' };
}

/** However they fall together, there is time left in which something may start. */
export function drawWindows(random: Random): readonly Window[] {
  const every = random.pick([2, 3, 5]);
  const allow = aWindow('allow', every, 1 + random.int(every - 1));
  const deny = aWindow('deny', 4, 1 + random.int(2));
  return random.pick([[allow], [deny], [allow, aWindow('deny', 4, 1)]]);
}

/** A host, a group, or the fleet. */
export function drawScope(random: Random, names: readonly HostName[], groups: readonly string[]): Scope {
  if (random.chance(0.3)) return { kind: 'fleet' };
  if (groups.length > 0 && random.chance(0.5)) return { kind: 'group', group: random.pick(groups) };
  return { kind: 'host', host: random.pick(names) };
}

/** Most pass while things go wrong; some outlast every story. */
export function drawFreezes(
  random: Random,
  input: { readonly names: readonly HostName[]; readonly groups: readonly string[]; readonly from: number },
): readonly Freeze[] {
  return Array.from({ length: 1 + random.int(2) }, () => {
    const from = input.from + random.int(10 * minuteMs);
    const lasts = random.chance(0.3) ? 24 * 60 * minuteMs : random.int(6 * minuteMs) + 1_000;
    return {
      from,
      until: from + lasts,
      reason: 'holidays',
      author: 'ada',
      scope: drawScope(random, input.names, input.groups),
    };
  });
}
