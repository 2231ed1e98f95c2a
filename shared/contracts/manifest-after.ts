import type { HostName } from '../domain/names.ts';
import { parseHostName } from '../domain/names.ts';
import type { Members } from './manifest-members.ts';
import type { WrittenManifest } from './manifest-schema.ts';
import type { Contradiction } from './manifest-references.ts';

/**
 * What `after` says, as a graph. A group is two nodes: `begun`, which waits for what the group comes after and which its
 * hosts wait for, and `done`, which waits for its hosts.
 */
type Node = `host ${string}` | `begun ${string}` | `done ${string}`;

interface Edge {
  readonly to: Node;
  /** Where the file says so; none for edges that come from being in a group. */
  readonly path?: readonly (string | number)[];
}

/** The first circle in which hosts and groups wait for each other. All names must exist. */
export function circles(manifest: WrittenManifest, members: Members): readonly Contradiction[] {
  const edges = edgesOf(manifest, members);
  const circle = circleIn(edges);
  if (circle === undefined) return [];
  // It begins with what somebody wrote: that is where it can be cut.
  const start = circle.findIndex(({ path }) => path !== undefined);
  const turned = [...circle.slice(start), ...circle.slice(0, start)];
  const from = turned.at(-1)?.to ?? circle[0]?.to ?? 'host ';
  const names = [from, ...turned.map(({ to }) => to)].map((node) => node.slice(node.indexOf(' ') + 1));
  const shown = names.filter((name, i) => name !== names[i - 1]);
  const only = shown[0];
  if (shown.length === 1 && only !== undefined) shown.push(only);
  const message = `hosts would wait for each other for ever: ${shortened(shown).join(' → ')} (an arrow: comes after, or is in)`;
  return [{ path: turned[0]?.path ?? [], message }];
}

function shortened(names: readonly string[]): readonly string[] {
  return names.length <= 20 ? names : [...names.slice(0, 10), '…', ...names.slice(-9)];
}

function edgesOf({ groups, hosts }: WrittenManifest, members: Members): ReadonlyMap<Node, readonly Edge[]> {
  const target = (name: string): Node => (members.hostsOf.has(name) ? `done ${name}` : `host ${name}`);
  const edges = new Map<Node, readonly Edge[]>();
  const afterOf = (kind: 'groups' | 'hosts', owner: string, after: readonly string[] | undefined) =>
    (after ?? []).map((name, i): Edge => ({ to: target(name), path: [kind, owner, 'after', i] }));
  for (const [name, group] of Object.entries(groups ?? {})) {
    edges.set(`begun ${name}`, afterOf('groups', name, group.after));
    edges.set(`done ${name}`, [
      // Not done before it has begun, be it empty: a circle of groups is one before they have hosts.
      { to: `begun ${name}` },
      ...(members.hostsOf.get(name) ?? []).map((host): Edge => ({ to: `host ${host}` })),
    ]);
  }
  for (const [name, host] of Object.entries(hosts ?? {})) {
    edges.set(`host ${name}`, [
      ...afterOf('hosts', name, host?.after),
      ...(members.groupsOf.get(name) ?? []).map((group): Edge => ({ to: `begun ${group}` })),
    ]);
  }
  return edges;
}

/** Depth first, without recursion: chains may be as long as there are hosts. The edges of the circle, in order. */
function circleIn(edges: ReadonlyMap<Node, readonly Edge[]>): readonly Edge[] | undefined {
  const finished = new Set<Node>();
  for (const start of edges.keys()) {
    if (finished.has(start)) continue;
    const way: { readonly node: Node; readonly by: Edge; next: number }[] = [
      { node: start, by: { to: start }, next: 0 },
    ];
    const depthOf = new Map<Node, number>([[start, 0]]);
    for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
      const edge = edges.get(here.node)?.[here.next];
      here.next += 1;
      if (edge === undefined) {
        finished.add(here.node);
        depthOf.delete(here.node);
        way.pop();
        continue;
      }
      const depth = depthOf.get(edge.to);
      if (depth !== undefined) return [...way.slice(depth + 1).map(({ by }) => by), edge];
      if (finished.has(edge.to)) continue;
      depthOf.set(edge.to, way.length);
      way.push({ node: edge.to, by: edge, next: 0 });
    }
  }
  return undefined;
}

/** More than these would take memory for what nobody means. */
const mostDependencies = 2_000_000;

/** Lists of hosts to come after, added up, that no fleet needs. */
export function tooManyDependencies(manifest: WrittenManifest, members: Members): readonly Contradiction[] {
  const lists = new Map<string, number>();
  for (const host of Object.keys(manifest.hosts ?? {})) {
    const names = namesAfter(host, manifest, members);
    const size = names.reduce((sum, name) => sum + (members.hostsOf.get(name)?.length ?? 1), 0);
    lists.set(names.join(' '), size);
  }
  const all = [...lists.values()].reduce((sum, size) => sum + size, 0);
  if (all <= mostDependencies) return [];
  return [
    {
      path: ['hosts'],
      atKey: true,
      message: `\`after\` makes ${all} dependencies between hosts: write it for groups, so that their hosts share it`,
    },
  ];
}

/** Gives each host the hosts that it comes after. Those with the same dependencies get the same array. */
export function dependenciesIn(
  manifest: WrittenManifest,
  members: Members,
): (host: string) => readonly HostName[] {
  const known = new Map<string, readonly HostName[]>();
  return (host) => {
    const names = namesAfter(host, manifest, members);
    const key = names.join(' ');
    const found = known.get(key);
    if (found !== undefined) return found;
    const hosts = new Set(names.flatMap((name) => members.hostsOf.get(name) ?? [name]));
    const list = [...hosts].sort().map(parseHostName);
    known.set(key, list);
    return list;
  };
}

/** The hosts and groups that a host comes after, by itself and by its groups. */
function namesAfter(host: string, manifest: WrittenManifest, members: Members): readonly string[] {
  const names = new Set(manifest.hosts?.[host]?.after);
  for (const group of members.groupsOf.get(host) ?? []) {
    for (const name of manifest.groups?.[group]?.after ?? []) names.add(name);
  }
  return [...names].sort();
}
