import type { Connection } from '../domain/fleet.ts';
import type { Contradiction } from './manifest-references.ts';
import type { WrittenJump, WrittenManifest } from './manifest-schema.ts';
import { normalHostKey } from './manifest-words.ts';

type Path = readonly (string | number)[];

/** More than these, one behind the other, nobody means. */
const mostJumps = 8;

/** Jump hosts that are reached through each other, and too many of them. All names must exist. */
export function wrongJumps({ hosts }: WrittenManifest): readonly Contradiction[] {
  const found: Contradiction[] = [];
  const ofHost = (name: string): WrittenJump | undefined => hosts?.[name]?.jump;
  for (const host of Object.keys(hosts ?? {})) {
    const path: Path = ['hosts', host, 'jump'];
    const names = [host];
    let jumps = 0;
    for (let jump = ofHost(host); jump !== undefined && jumps <= mostJumps; jumps += 1) {
      if (typeof jump === 'string') {
        names.push(jump);
        if (jump === host) {
          const message = `hosts would be reached through each other for ever: ${names.join(' → ')} (an arrow: goes through)`;
          return [{ path, message }];
        }
      }
      jump = typeof jump === 'string' ? ofHost(jump) : jump.jump;
    }
    if (jumps > mostJumps)
      found.push({ path, message: `more than ${mostJumps} jump hosts, one behind the other` });
  }
  return found;
}

/** Gives each host its connection. Those that go through the same host of the fleet share that one's. */
export function connectionsIn({ hosts, defaults = {} }: WrittenManifest): (host: string) => Connection {
  const known = new Map<string, Connection>();

  function toHost(name: string): Connection {
    const before = known.get(name);
    if (before !== undefined) return before;
    const host = hosts?.[name] ?? {};
    const connection = {
      address: host.address ?? name,
      port: host.port ?? defaults.port ?? 22,
      user: host.user ?? defaults.user ?? 'root',
      hostKeys: normal(host.hostKeys),
      ...through(host.jump),
    };
    known.set(name, connection);
    return connection;
  }

  // What is in no fleet takes nothing from what is said of all of its hosts.
  function toJump(jump: WrittenJump): Connection {
    if (typeof jump === 'string') return toHost(jump);
    const { address, port = 22, user = 'root' } = jump;
    return { address, port, user, hostKeys: normal(jump.hostKeys), ...through(jump.jump) };
  }

  function through(jump: WrittenJump | undefined): Pick<Connection, 'via'> {
    return jump === undefined ? {} : { via: toJump(jump) };
  }

  return toHost;
}

function normal(hostKeys: readonly string[] = []): readonly string[] {
  return hostKeys.flatMap((hostKey) => normalHostKey(hostKey) ?? []);
}
