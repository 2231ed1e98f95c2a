import { describe, expect, test } from 'vitest';

import { parseStorePath, type StorePath } from '../../../../shared/domain/names.ts';
import { createServed, type ServedDeps } from '../../../../worker/cache/served.ts';
import type { PathInfo } from '../../../../worker/nix/store.ts';

const pathOf = (letter: string): StorePath => parseStorePath(`/nix/store/${letter.repeat(32)}-${letter}`);
const digestOf = (letter: string): string => letter.repeat(32);
const nameOf = (letter: string): string => `${letter.repeat(32)}-${letter}`;

const infoOf = (letter: string): PathInfo => ({
  path: pathOf(letter),
  deriver: undefined,
  narHash: Buffer.alloc(32, letter).toString('hex'),
  references: [],
  registeredAt: 0,
  narSize: 1,
  ultimate: false,
  signatures: [],
  contentAddress: undefined,
});

/** A store in which `a` references `b`, and each other path nothing. */
function stage(staleMs?: number) {
  const groups = new Map<string, string[]>([['guard', []]]);
  const valid = new Set(['a', 'b', 'c', 'd'].map(pathOf));
  let asked = 0;
  const deps: ServedDeps = {
    roots: {
      names: async (group) => {
        asked += 1;
        const [first = ''] = group;
        if (group.length === 1 && first === 'hosts') {
          return [...groups.keys()].flatMap((key) => (key.startsWith('hosts/') ? [key.slice(6)] : []));
        }
        return groups.get(group.join('/')) ?? [];
      },
    },
    store: {
      invalid: async (paths) => new Set(paths.filter((path) => !valid.has(path as StorePath))),
      closure: async (paths) =>
        paths.flatMap((path) =>
          path === pathOf('a') ? [infoOf('a'), infoOf('b')] : [infoOf(path[11] ?? '')],
        ),
    },
    ...(staleMs === undefined ? {} : { staleMs }),
  };
  const served = createServed(deps);
  return { groups, valid, served, questions: () => asked };
}

describe('what a worker serves', () => {
  test('is all that the systems of its hosts reference, and the guard', async () => {
    const { groups, served } = stage();
    groups
      .set('hosts/web1', [nameOf('a')])
      .set('guard', [nameOf('c')])
      .set('releases/r', [nameOf('d')]);
    for (const letter of ['a', 'b', 'c']) {
      expect((await served.byDigest(digestOf(letter)))?.path).toBe(pathOf(letter));
      expect((await served.byNarHash(infoOf(letter).narHash))?.path).toBe(pathOf(letter));
    }
    expect(await served.byDigest(digestOf('d'))).toBeUndefined();
  });

  test('is nothing that is rooted before it is valid, but as soon as it is', async () => {
    const { groups, served, valid } = stage();
    groups.set('hosts/web1', [nameOf('f'), '.new-1-1']);
    expect(await served.byDigest(digestOf('f'))).toBeUndefined();
    valid.add(pathOf('f'));
    expect((await served.byDigest(digestOf('f')))?.path).toBe(pathOf('f'));
  });

  test('is known without a look, as long as it is not old', async () => {
    const { groups, served, questions } = stage();
    groups.set('hosts/web1', [nameOf('a')]);
    await served.byDigest(digestOf('a'));
    const before = questions();
    await served.byDigest(digestOf('b'));
    expect(questions()).toBe(before);
  });

  test('is not served for ever after it is rooted no more', async () => {
    const { groups, served } = stage(0);
    groups.set('hosts/web1', [nameOf('a')]).set('hosts/web2', [nameOf('c')]);
    expect(await served.byDigest(digestOf('b'))).toBeDefined();
    groups.delete('hosts/web1');
    expect(await served.byDigest(digestOf('b'))).toBeUndefined();
    expect(await served.byDigest(digestOf('c'))).toBeDefined();
  });

  test('is found by who asks while another looks, although that one has passed it', async () => {
    const { groups, served } = stage();
    const first = served.byDigest(digestOf('c'));
    // By now the first has seen that there are no hosts.
    await Promise.resolve();
    groups.set('hosts/web1', [nameOf('c')]);
    const more = await Promise.all([
      first,
      ...Array.from({ length: 50 }, () => served.byDigest(digestOf('c'))),
    ]);
    expect(more.slice(1).every((info) => info?.path === pathOf('c'))).toBe(true);
  });

  test('costs those who ask together for what is not there two looks, not one each', async () => {
    const { served, questions } = stage();
    await served.byDigest(digestOf('e'));
    const one = questions();
    await Promise.all(Array.from({ length: 50 }, () => served.byDigest(digestOf('f'))));
    expect(questions()).toBeLessThanOrEqual(one * 3);
  });
});
