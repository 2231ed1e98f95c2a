import type { Connection } from '../domain/fleet.ts';
import type { Contradiction } from './manifest-references.ts';
import type { WrittenJump, WrittenManifest } from './manifest-schema.ts';
import { normalHostKey } from './manifest-words.ts';

type Path = readonly (string | number)[];

/** More than these, one behind the other, nobody means. */
const mostJumps = 8;

type Jump = WrittenJump | undefined;

/** Jump hosts that are reached through each other, and too many of them. All names must exist. */
export function wrongJumps(manifest: WrittenManifest): readonly Contradiction[] {
  const hosts = Object.entries(manifest.hosts ?? {}).filter(([, host]) => host?.jump !== undefined);
  const found: Contradiction[] = [];
  const jumpOf = jumpsIn(manifest);
  const starts: readonly { readonly path: Path; readonly host?: string; readonly first: Jump }[] = [
    // Once, and not for every host that takes it from there.
    { path: ['defaults', 'jump'], first: manifest.defaults?.jump },
    ...hosts.map(([host]) => ({ path: ['hosts', host, 'jump'], host, first: jumpOf(host) })),
  ];
  for (const { path, host, first } of starts) {
    const names = [host];
    let jumps = 0;
    for (let jump = first; jump !== undefined && jumps <= mostJumps; jumps += 1) {
      if (typeof jump === 'string') {
        names.push(jump);
        if (jump === host) {
          const message = `hosts would be reached through each other for ever: ${names.join(' → ')} (an arrow: goes through)`;
          return [{ path, message }];
        }
      }
      jump = typeof jump === 'string' ? jumpOf(jump) : jump.jump;
    }
    if (jumps > mostJumps)
      found.push({ path, message: `more than ${mostJumps} jump hosts, one behind the other` });
  }
  return found;
}

/**
 * Finds the jump host of a host: its own, or that of all. Those of the fleet that are on the way of all take no part in it:
 * they would be reached through themselves.
 */
function jumpsIn({ hosts, defaults }: WrittenManifest): (host: string) => Jump {
  const onTheWay = new Set<string>();
  let jump = defaults?.jump;
  while (jump !== undefined) {
    if (typeof jump !== 'string') {
      jump = jump.jump;
      continue;
    }
    // For ever through each other: that is refused.
    if (onTheWay.has(jump)) break;
    onTheWay.add(jump);
    jump = hosts?.[jump]?.jump ?? undefined;
  }
  return (host) => {
    const own = hosts?.[host]?.jump;
    if (own !== undefined) return own ?? undefined;
    return onTheWay.has(host) ? undefined : defaults?.jump;
  };
}

/** Gives each host its connection. Those that go through the same host of the fleet share that one's. */
export function connectionsIn(manifest: WrittenManifest): (host: string) => Connection {
  const { hosts, defaults = {} } = manifest;
  const jumpOf = jumpsIn(manifest);
  const known = new Map<string, Connection>();
  const outside = new Map<WrittenJump, Connection>();

  function toHost(name: string): Connection {
    const before = known.get(name);
    if (before !== undefined) return before;
    const host = hosts?.[name] ?? {};
    const connection = {
      address: host.address ?? name,
      port: host.port ?? defaults.port ?? 22,
      user: host.user ?? defaults.user ?? 'root',
      hostKeys: normal(host.hostKeys),
      ...through(jumpOf(name)),
    };
    known.set(name, connection);
    return connection;
  }

  // What is in no fleet takes nothing from what is said of all of its hosts.
  function toJump(jump: WrittenJump): Connection {
    if (typeof jump === 'string') return toHost(jump);
    const before = outside.get(jump);
    if (before !== undefined) return before;
    const { address, port = 22, user = 'root' } = jump;
    const connection = { address, port, user, hostKeys: normal(jump.hostKeys), ...through(jump.jump) };
    outside.set(jump, connection);
    return connection;
  }

  function through(jump: Jump): Pick<Connection, 'via'> {
    return jump === undefined ? {} : { via: toJump(jump) };
  }

  return toHost;
}

function normal(hostKeys: readonly string[] = []): readonly string[] {
  return hostKeys.flatMap((hostKey) => normalHostKey(hostKey) ?? []);
}
