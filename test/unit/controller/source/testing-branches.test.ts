import { expect, it } from 'vitest';

import {
  createTestingReader,
  type TestingReaderDeps,
} from '../../../../controller/source/testing-branches.ts';
import { FleetError } from '../../../../shared/domain/errors.ts';
import { parseRevision, parseTree, type HostName, type Revision } from '../../../../shared/domain/names.ts';
import { silentLogger } from '../../../../shared/platform/logger.ts';
import { aFleet, host, sha } from '../../../support/builders.ts';

const tracked = parseRevision(sha('tracked'));
const tree = parseTree(sha('tree'));
const web1 = host('web1');
const rev = (name: string): Revision => parseRevision(sha(name));

/** A repository of which some branches cannot be had: the fetch of them fails, or never ends. */
function world(bad: Partial<Record<string, 'fails' | 'hangs'>>) {
  const here = new Set<Revision>([tracked]);
  const asked: string[] = [];
  let listed = new Map<HostName, Revision>();
  const mirror: TestingReaderDeps['mirror'] = {
    pinned: async (revision: Revision) => here.has(revision),
    holds: async (revision: Revision) => here.has(revision),
    pin: async () => {},
    descends: async () => 'yes',
    commit: async () => ({ tree, parents: [tracked], author: 'Ada', subject: '' }),
  };
  const remote: TestingReaderDeps['remote'] = {
    async fetchTesting(hosts: readonly HostName[], signal?: AbortSignal) {
      asked.push(hosts.join(' '));
      const how = hosts.map((name) => bad[name]).find((each) => each !== undefined);
      if (how === 'fails')
        throw new FleetError({ code: 'SOURCE_UNREACHABLE', disposition: 'transient', message: 'no' });
      if (how === 'hangs') {
        await new Promise((_, reject) =>
          signal?.addEventListener('abort', () => reject(new Error('too late'))),
        );
      }
      for (const name of hosts) here.add(listed.get(name) ?? tracked);
    },
  };
  const reader = createTestingReader({
    mirror,
    remote,
    logger: silentLogger,
    manifest: async () => ({ kind: 'fleet', fleet: aFleet([]) }),
    patience: { fetchMs: 20, lookMs: 1_000, asideMs: 60_000 },
  });
  return {
    bad,
    /** What is followed after a look at these branches, and which fetches that took. */
    async look(branches: Partial<Record<string, string>>) {
      listed = new Map(Object.entries(branches).map(([name, at]) => [host(name), rev(at ?? '')]));
      asked.length = 0;
      const read = await reader.read(listed, tracked, undefined);
      const { testing, unread } = read;
      return {
        read: testing?.map((each) => `${each.host} ${nameOf(each.revision)}`),
        ...(unread && { unread }),
        asked: [...asked],
      };
    },
  };
}

const nameOf = (revision: Revision): string =>
  ['one', 'two', 'huge'].find((each) => rev(each) === revision) ?? '?';

it('a branch that cannot be fetched in time keeps no other from its test, and is left out for a while', async () => {
  const { look } = world({ [web1]: 'hangs' });
  expect(await look({ web1: 'huge', web2: 'one' })).toEqual({
    read: ['web2 one'],
    unread: [web1],
    asked: ['web1 web2', 'web1', 'web2'],
  });
  expect(await look({ web1: 'huge', web2: 'two' })).toEqual({
    read: ['web2 two'],
    unread: [web1],
    asked: ['web2'],
  });
});

it('a fetch that fails is tried again at the next look, and after a second failure only later', async () => {
  const { look, bad } = world({ [web1]: 'fails' });
  expect(await look({ web1: 'one' })).toEqual({ read: [], unread: [web1], asked: ['web1'] });
  expect(await look({ web1: 'one' })).toEqual({ read: [], unread: [web1], asked: ['web1'] });
  expect(await look({ web1: 'one' })).toEqual({ read: [], unread: [web1], asked: [] });
  delete bad[web1];
  expect(await look({ web1: 'two' })).toEqual({ read: ['web1 two'], asked: ['web1'] });
  expect(await look({})).toEqual({ read: [], asked: [] });
});
