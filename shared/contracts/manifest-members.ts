import type { WrittenManifest } from './manifest-schema.ts';
import type { WrittenSelect, WrittenWave } from './manifest-schema-policy.ts';

/** The wave of the hosts that no written wave selects. */
export const restWave = 'rest';

/** Which host is in which group and in which wave. */
export interface Members {
  /** The hosts of each group, in the order of the file. */
  readonly hostsOf: ReadonlyMap<string, readonly string[]>;
  /** The groups of each host, in the order of the file. */
  readonly groupsOf: ReadonlyMap<string, readonly string[]>;
  /** Every wave there is, the one of the rest among them. Empty: nothing is said of waves. */
  readonly waves: readonly WrittenWave[];
  /** The first wave of `waves` that a host is in, by its index. */
  readonly waveOf: ReadonlyMap<string, number>;
}

type Selection = Pick<WrittenWave, 'select' | 'hosts' | 'groups'>;

/** Looks up all selections once, so that whoever asks for a member has an answer at hand. */
export function membersOf(manifest: WrittenManifest): Members {
  const hosts = Object.entries(manifest.hosts ?? {}).map(([name, host]) => ({
    name,
    labels: new Map(Object.entries(host?.labels ?? {})),
  }));
  const none: readonly string[] = [];
  const selected = (selection: Selection, groupsOf: ReadonlyMap<string, readonly string[]>) => {
    const isNamed = namedIn(selection);
    return hosts.filter(
      ({ name, labels }) =>
        isNamed(name, groupsOf.get(name) ?? none) ||
        (selection.select !== undefined && hasLabels(labels, selection.select)),
    );
  };

  const hostsOf = new Map<string, readonly string[]>();
  const groupsOf = new Map<string, string[]>(hosts.map(({ name }) => [name, []]));
  for (const [group, { select, hosts: listed }] of Object.entries(manifest.groups ?? {})) {
    const names = selected({ select, hosts: listed }, groupsOf).map(({ name }) => name);
    hostsOf.set(group, names);
    for (const name of names) groupsOf.get(name)?.push(group);
  }

  const waves = wavesOf(manifest.rollout?.waves ?? []);
  const waveOf = new Map<string, number>();
  for (const [index, wave] of waves.entries()) {
    const those = isCatchAll(wave) ? hosts : selected(wave, groupsOf);
    for (const { name } of those) if (!waveOf.has(name)) waveOf.set(name, index);
  }
  return { hostsOf, groupsOf, waves, waveOf };
}

/** A wave that is of every host that no other wave has. */
export function isCatchAll({ select, hosts, groups }: Selection): boolean {
  return select === undefined && hosts === undefined && groups === undefined;
}

function wavesOf(written: readonly WrittenWave[]): readonly WrittenWave[] {
  return written.length === 0 || written.some(isCatchAll) ? written : [...written, { name: restWave }];
}

function namedIn({ hosts, groups }: Selection): (host: string, groupsOfIt: readonly string[]) => boolean {
  const hostNames = new Set(hosts);
  const groupNames = new Set(groups);
  return (host, groupsOfIt) => hostNames.has(host) || groupsOfIt.some((group) => groupNames.has(group));
}

function hasLabels(labels: ReadonlyMap<string, string>, select: WrittenSelect): boolean {
  return Object.entries(select).every(([key, wanted]) => {
    const value = labels.get(key);
    return value !== undefined && (typeof wanted === 'string' ? wanted === value : wanted.includes(value));
  });
}
