import { lutimes, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createRoots } from '../../../../worker/nix/roots.ts';
import { toplevel } from '../../../support/builders.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roots-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('pruning roots', () => {
  const kept = async (needed?: ReadonlySet<string>): Promise<readonly string[]> => {
    const roots = createRoots({ folder });
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
      await roots.put(['hosts', 'web1'], name, toplevel('A'));
      await lutimes(join(folder, 'hosts/web1', name), i, i);
    }
    await roots.prune(['hosts', 'web1'], 2, needed);
    return (await readdir(join(folder, 'hosts/web1'))).toSorted();
  };

  it('leaves those that were used last', async () => {
    expect(await kept()).toEqual(['c', 'd']);
  });

  it('leaves those that are needed as well, however old', async () => {
    expect(await kept(new Set(['a', 'unknown']))).toEqual(['a', 'c', 'd']);
  });
});

describe('forgetting what nobody uses', () => {
  it('leaves a group that something is put into at the same time', async () => {
    const roots = createRoots({ folder });
    await roots.put(['hosts', 'web1'], 'a', toplevel('A'));
    await lutimes(join(folder, 'hosts/web1'), 0, 0);
    await Promise.all([
      roots.put(['hosts', 'web1'], 'b', toplevel('A')),
      roots.forget(['hosts'], 1_000),
      roots.put(['hosts', 'web1'], 'c', toplevel('A')),
    ]);
    expect((await readdir(join(folder, 'hosts/web1'))).toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('goes on after something could not be rooted', async () => {
    const roots = createRoots({ folder });
    await expect(roots.put(['..'], 'a', toplevel('A'))).rejects.toThrow(/cannot name a root/);
    await roots.put(['hosts', 'web1'], 'a', toplevel('A'));
    await lutimes(join(folder, 'hosts/web1'), 0, 0);
    await roots.forget(['hosts'], 1_000);
    expect(await readdir(join(folder, 'hosts'))).toEqual([]);
  });
});
