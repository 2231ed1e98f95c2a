import { host as hostName, drv, reached, running, toplevel } from '../support/builders.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { Steps } from '../../shared/platform/ports/steps.ts';

/** Steps for hosts that are made up, each of which runs for ever what every tree wants of it. */
export function settledSteps(clock: Clock): Steps {
  const owners = new Map<HostName, string>();
  return {
    async evaluate({ key, tree, hosts }) {
      const names = hosts === 'all' ? [] : [...hosts.keys()];
      return {
        kind: 'complete',
        durationMs: 0,
        release: {
          key,
          tree,
          hosts: new Map(
            names.map((name) => [hostName(name), { drvPath: drv('A', name), toplevel: toplevel('A', name) }]),
          ),
        },
      };
    },
    async probe({ host, askedAt, adopt, connections }, incarnation) {
      if (adopt !== undefined) owners.set(host, adopt.owner);
      const [connection] = connections;
      const contact = reached(host, running(toplevel('A', host), { owner: owners.get(host) }), askedAt);
      return {
        ...contact,
        incarnation,
        at: clock.now(),
        ...(connection === undefined ? {} : { connection }),
      };
    },
    deliver: () => Promise.reject(new Error('nothing is to be delivered')),
    activate: () => Promise.reject(new Error('nothing is to be activated')),
  };
}
