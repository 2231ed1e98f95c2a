import { FleetError } from '../../shared/domain/errors.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Observation } from '../../shared/domain/observation.ts';

/**
 * What is to be reverted in Git where a host goes back to a system: the observation that brought what it is to run now. Those
 * that came later and left it as it is are not to blame. Pure.
 * @throws FleetError NOT_FOUND, CONFLICT
 */
export function toRevert(memory: Memory, host: HostName, backTo: StorePath): Observation {
  const brought = broughtBy(memory, host);
  if (brought === undefined) {
    throw refusal('NOT_FOUND', 'nothing has been observed yet that could be reverted');
  }
  if (memory.hosts.get(host)?.desired === backTo) {
    const since = brought.revision.slice(0, 12);
    throw refusal(
      'CONFLICT',
      `${host} goes back to what Git wants there since ${since}: there is nothing to revert`,
    );
  }
  return brought;
}

function broughtBy({ observations, keys, releases, hosts }: Memory, host: HostName): Observation | undefined {
  const desired = hosts.get(host)?.desired;
  let brought: Observation | undefined;
  for (const observation of observations.toReversed()) {
    const key = keys.get(observation.n);
    const release = key === undefined ? undefined : releases.get(key);
    // What could not be followed has brought nothing.
    if (release === undefined) continue;
    if (release.hosts.get(host)?.toplevel !== desired) break;
    brought = observation;
  }
  return brought ?? observations.at(-1);
}

function refusal(code: 'NOT_FOUND' | 'CONFLICT', message: string): FleetError {
  return new FleetError({ code, disposition: 'stalled', message });
}
