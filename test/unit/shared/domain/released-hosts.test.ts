import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { HostName } from '../../../../shared/domain/names.ts';
import type { ReleasedHost } from '../../../../shared/domain/observation.ts';
import { sharedHosts } from '../../../../shared/domain/released-hosts.ts';
import { drv, host, toplevel } from '../../../support/builders.ts';

type Hosts = ReadonlyMap<HostName, ReleasedHost>;

const released = (name: string, letter: string): ReleasedHost => ({
  toplevel: toplevel(letter, name),
  drvPath: drv(`${letter}${name}`),
});
const hostsOf = (letters: Readonly<Record<string, string>>): Hosts =>
  new Map(Object.entries(letters).map(([name, letter]) => [host(name), released(name, letter)]));

/** Fleets of more hosts than one row has, of which some come, go or change with each release. */
const releases = fc.array(
  fc
    .array(fc.option(fc.constantFrom('A', 'B'), { nil: undefined }), { minLength: 60, maxLength: 140 })
    .map((letters) =>
      hostsOf(
        Object.fromEntries(letters.flatMap((letter, i) => (letter === undefined ? [] : [[`h${i}`, letter]]))),
      ),
    ),
  { minLength: 1, maxLength: 5 },
);

it('what releases share is theirs as if they shared nothing', () => {
  fc.assert(
    fc.property(releases, (fleets) => {
      let before: Hosts | undefined;
      for (const fleet of fleets) {
        const shared = sharedHosts(fleet, before);
        expect(shared.size).toBe(fleet.size);
        expect(new Map(shared)).toEqual(fleet);
        expect(new Set(shared.keys())).toEqual(new Set(fleet.keys()));
        expect([...shared.values()]).toEqual([...shared].map(([, value]) => value));
        const seen = new Map<HostName, ReleasedHost>();
        shared.forEach((value, name) => seen.set(name, value));
        expect(seen).toEqual(fleet);
        for (const [name, value] of fleet) expect(shared.get(name)).toEqual(value);
        expect(shared.has(host('nobody')) || shared.get(host('nobody')) !== undefined).toBe(false);
        before = shared;
      }
    }),
    { numRuns: 50 },
  );
});

it('a release that changes one host of many has little of its own, in whatever order its hosts come', () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `h${i}`);
  const first = sharedHosts(hostsOf(Object.fromEntries(names.map((name) => [name, 'A']))), undefined);
  const next = Object.fromEntries(names.toReversed().map((name) => [name, name === 'h500' ? 'B' : 'A']));
  const second = sharedHosts(hostsOf(next), first);
  expect(second.get(host('h500'))).toEqual(released('h500', 'B'));
  const rows = (hosts: Hosts): readonly unknown[] => Reflect.get(hosts, 'rows') as readonly unknown[];
  expect(rows(second).filter((row) => !rows(first).includes(row))).toHaveLength(1);
  expect(Reflect.get(second, 'places')).toBe(Reflect.get(first, 'places'));
});
