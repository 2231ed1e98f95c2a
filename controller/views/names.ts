import { nearest } from '../../shared/contracts/nearest.ts';
import { returningBy, type Desired } from '../../shared/domain/desired.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import type { Fleet } from '../../shared/domain/fleet.ts';
import type { ViewContext } from './context.ts';

/** The fleet that the newest judged revision describes, where it can be read. */
export function judgedFleet({ last }: ViewContext): Fleet | undefined {
  return last && fleetOf(last.desired);
}

function fleetOf(desired: Desired): Fleet | undefined {
  return desired.kind === 'unknown' ? undefined : desired.fleet;
}

/** Every host that has a verdict, or that something is remembered of. */
export function knownHosts({ last, memory }: ViewContext): ReadonlySet<string> {
  return new Set([...(last?.verdicts ?? []).map(({ host }) => host), ...memory.hosts.keys()]);
}

/**
 * The groups of the newest revision, or of the last good one as long as that cannot be followed; and those that are still
 * held although they are gone.
 */
export function knownGroups(context: ViewContext): ReadonlySet<string> {
  const fleet = context.last && fleetOf(returningBy(context.last.desired));
  const groups = (fleet?.groups ?? []).map(({ name }) => name);
  const held = context.memory.holds.flatMap(({ scope }) => (scope.kind === 'group' ? [scope.group] : []));
  return new Set([...groups, ...held]);
}

export function noSuchHost(context: ViewContext, host: string): FleetError {
  return noSuch('host', host, [...knownHosts(context)], '`varve status` lists the hosts');
}

/** NOT_FOUND, with the name that was most likely meant. */
export function noSuch(
  what: string,
  word: string,
  names: readonly string[],
  otherwise: string | undefined,
): FleetError {
  const meant = nearest(word, names);
  return new FleetError({
    code: 'NOT_FOUND',
    disposition: 'stalled',
    message: `no ${what} is called ${word.slice(0, 80)}`,
    hint: meant === undefined ? otherwise : `did you mean ${meant}?`,
  });
}
