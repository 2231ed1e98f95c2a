import { FleetError } from '../../shared/domain/errors.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Observation } from '../../shared/domain/observation.ts';
import { unconfirmedOn } from './return.ts';

/**
 * What is to be reverted in Git where a host goes back to a system: the observation that brought what it leaves. Those that
 * came later and left it as it is, or have yet to reach it, are not to blame. Pure.
 * @throws FleetError NOT_FOUND, CONFLICT
 */
export function toRevert(memory: Memory, host: HostName, backTo: StorePath): Observation {
  const remembered = memory.hosts.get(host);
  if (remembered?.desired === backTo) {
    throw refusal('CONFLICT', `${host} goes back to what Git wants there: there is nothing to revert`);
  }
  const leaves = (remembered && unconfirmedOn(remembered)) ?? remembered?.confirmed?.toplevel;
  const run =
    runOf(memory, host, leaves === backTo ? undefined : leaves) ?? runOf(memory, host, remembered?.desired);
  if (run === undefined)
    throw refusal('NOT_FOUND', `no commit that was seen here has brought what ${host} leaves`);
  const [first, before] = run;
  if (before !== undefined) {
    const [one, other] = [before, first].map(({ revision }) => revision.slice(0, 12));
    throw refusal('CONFLICT', `what ${host} leaves came with ${one} or with ${other}: revert the right one`);
  }
  return first;
}

/**
 * The first observation of the last row of those that have a system for a host; and the one before it, if nobody knows which
 * system that had.
 */
function runOf(
  { observations, keys, releases }: Memory,
  host: HostName,
  toplevel: StorePath | undefined,
): readonly [Observation, Observation | undefined] | undefined {
  if (toplevel === undefined) return undefined;
  let first: Observation | undefined;
  let unknown: Observation | undefined;
  for (const observation of observations.toReversed()) {
    const key = keys.get(observation.n);
    const release = key === undefined ? undefined : releases.get(key);
    if (release === undefined) {
      unknown ??= observation;
      continue;
    }
    if (release.hosts.get(host)?.toplevel === toplevel) [first, unknown] = [observation, undefined];
    else if (first === undefined) unknown = undefined;
    else break;
  }
  return first && [first, unknown];
}

function refusal(code: 'NOT_FOUND' | 'CONFLICT', message: string): FleetError {
  return new FleetError({ code, disposition: 'stalled', message });
}
