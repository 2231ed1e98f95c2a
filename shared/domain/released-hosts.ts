import type { HostName } from './names.ts';
import type { ReleasedHost } from './observation.ts';

type Hosts = ReadonlyMap<HostName, ReleasedHost>;

/** Few rows for one release, and little that is new where one host of a row is. */
const rowLength = 64;

/**
 * A map from hosts to what a release has for them, of which releases have in memory once what they have in common: all of
 * them are kept, there may be a hundred thousand for thousands of hosts each, and most commits change few hosts. Pure.
 */
export function sharedHosts(hosts: Hosts, before: Hosts | undefined): Hosts {
  const known = before instanceof SharedHosts && hasSameNames(before, hosts) ? before : undefined;
  const places = known?.places ?? new Map([...hosts.keys()].map((host, place) => [host, place]));
  const rows: ReleasedHost[][] = [];
  for (const [host, place] of places) {
    const released = hosts.get(host);
    if (released === undefined) continue;
    const earlier = before?.get(host);
    const isSame = earlier?.toplevel === released.toplevel && earlier.drvPath === released.drvPath;
    (rows[Math.floor(place / rowLength)] ??= []).push(isSame ? earlier : released);
  }
  const kept = rows.map((row, i) => {
    const earlier = known?.rows[i];
    return earlier !== undefined && row.every((released, place) => released === earlier[place])
      ? earlier
      : row;
  });
  return new SharedHosts(places, kept);
}

function hasSameNames(a: Hosts, b: Hosts): boolean {
  return a.size === b.size && [...b.keys()].every((host) => a.has(host));
}

class SharedHosts implements Hosts {
  /** Of each host, which of all rows' entries is its own. */
  readonly places: ReadonlyMap<HostName, number>;
  readonly rows: readonly (readonly ReleasedHost[])[];

  constructor(places: ReadonlyMap<HostName, number>, rows: readonly (readonly ReleasedHost[])[]) {
    this.places = places;
    this.rows = rows;
  }

  get size(): number {
    return this.places.size;
  }

  has(host: HostName): boolean {
    return this.places.has(host);
  }

  get(host: HostName): ReleasedHost | undefined {
    const place = this.places.get(host);
    return place === undefined ? undefined : this.rows[Math.floor(place / rowLength)]?.[place % rowLength];
  }

  keys(): MapIterator<HostName> {
    return this.places.keys();
  }

  *values(): MapIterator<ReleasedHost> {
    for (const row of this.rows) yield* row;
  }

  *entries(): MapIterator<[HostName, ReleasedHost]> {
    const values = this.values();
    for (const host of this.places.keys()) {
      const { value } = values.next();
      if (value !== undefined) yield [host, value];
    }
  }

  [Symbol.iterator](): MapIterator<[HostName, ReleasedHost]> {
    return this.entries();
  }

  forEach(act: (released: ReleasedHost, host: HostName, hosts: Hosts) => void): void {
    for (const [host, released] of this) act(released, host, this);
  }
}
