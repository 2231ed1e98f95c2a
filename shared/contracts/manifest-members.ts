import type { WrittenManifest } from './manifest-schema.ts';
import type { WrittenSelect, WrittenWave } from './manifest-schema-policy.ts';

/** The wave of the hosts that no written wave selects. */
export const restWave = 'rest';

/** Which host is in which group and in which wave. */
export interface Members {
  /** The hosts of each group. */
  readonly hostsOf: ReadonlyMap<string, readonly string[]>;
  /** The groups of each host, in the order of the file. */
  readonly groupsOf: ReadonlyMap<string, readonly string[]>;
  /** Every wave there is, the one of the rest among them. Empty: nothing is said of waves. */
  readonly waves: readonly WrittenWave[];
  /** The first wave of `waves` that a host is in, by its index. */
  readonly waveOf: ReadonlyMap<string, number>;
}

/** Looks up all selections once, so that whoever asks for a member has an answer at hand. */
export function membersOf(manifest: WrittenManifest): Members {
  const all = Object.keys(manifest.hosts ?? {});
  const withLabels = labelLookup(manifest);
  const hostsOf = new Map<string, readonly string[]>();
  const groupsOf = new Map<string, string[]>(all.map((name) => [name, []]));
  for (const [group, { select, hosts }] of Object.entries(manifest.groups ?? {})) {
    const names = select === undefined ? [...new Set(hosts)] : withLabels(select);
    hostsOf.set(group, names);
    for (const name of names) groupsOf.get(name)?.push(group);
  }

  const waves = wavesOf(manifest.rollout?.waves ?? []);
  const waveOf = new Map<string, number>();
  for (const [index, wave] of waves.entries()) {
    for (const name of ofWave(wave)) if (!waveOf.has(name)) waveOf.set(name, index);
  }
  return { hostsOf, groupsOf, waves, waveOf };

  function ofWave(wave: WrittenWave): readonly string[] {
    if (isCatchAll(wave)) return all;
    if (wave.select !== undefined) return withLabels(wave.select);
    return wave.hosts ?? (wave.groups ?? []).flatMap((group) => hostsOf.get(group) ?? []);
  }
}

/** A wave that is of every host that no other wave has. */
export function isCatchAll({ select, hosts, groups }: WrittenWave): boolean {
  return select === undefined && hosts === undefined && groups === undefined;
}

function wavesOf(written: readonly WrittenWave[]): readonly WrittenWave[] {
  return written.length === 0 || written.some(isCatchAll) ? written : [...written, { name: restWave }];
}

/** Finds hosts by their labels. Through an index: every group and wave asks, and there may be many hosts. */
function labelLookup({ hosts }: WrittenManifest): (select: WrittenSelect) => readonly string[] {
  const index = new Map<string, Set<string>>();
  for (const [name, host] of Object.entries(hosts ?? {})) {
    for (const [key, value] of Object.entries(host?.labels ?? {})) {
      const at = `${key}=${value}`;
      const found = index.get(at);
      if (found === undefined) index.set(at, new Set([name]));
      else found.add(name);
    }
  }
  return (select) => {
    const [first = [], ...others] = Object.entries(select).map(([key, wanted]) =>
      [...new Set([wanted].flat())].flatMap((value) => index.get(`${key}=${value}`) ?? []),
    );
    return first
      .flatMap((names) => [...names])
      .filter((name) => others.every((sets) => sets.some((names) => names.has(name))));
  };
}
