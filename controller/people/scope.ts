import { hostsOf, returningBy } from '../../shared/domain/desired.ts';
import { lasts } from '../../shared/domain/memory.ts';
import { isHostName, type HostName } from '../../shared/domain/names.ts';
import { fleetWord, type Scope } from '../../shared/domain/policy.ts';
import type { ViewContext } from '../views/context.ts';
import { knownGroups, knownHosts, noSuch, noSuchHost } from '../views/names.ts';

/**
 * What a word is about: the fleet, a host, or a group. Only what is known: a typing error must not sit in the ledger
 * for ever. A host that the repository does not name any more keeps no group from its name, unless it is held: its hold has
 * to be lifted first.
 * @throws FleetError NOT_FOUND
 */
export function scopeOf(context: ViewContext, word: string): Scope {
  if (word === fleetWord) return { kind: 'fleet' };
  const hosts = knownHosts(context);
  const groups = knownGroups(context);
  if (isHostName(word) && hosts.has(word) && (!groups.has(word) || isNamed(context, word))) {
    return { kind: 'host', host: word };
  }
  if (groups.has(word)) return { kind: 'group', group: word };
  throw noSuch(
    'host or group',
    word,
    [...hosts, ...groups, fleetWord],
    'name a host, a group, or `fleet` for all of it; `varve status` lists the hosts, `varve validate` the groups',
  );
}

function isNamed({ last, memory, at }: ViewContext, host: HostName): boolean {
  const hold = memory.hosts.get(host)?.hold;
  if (hold !== undefined && lasts(hold, at)) return true;
  return last !== undefined && hostsOf(returningBy(last.desired)).has(host);
}

/** @throws FleetError NOT_FOUND */
export function mustKnow(context: ViewContext, host: HostName): void {
  if (!knownHosts(context).has(host)) throw noSuchHost(context, host);
}
