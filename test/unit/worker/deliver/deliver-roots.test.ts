import { access, lutimes, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Deployment } from '../../../../shared/domain/deployment.ts';
import { parseStorePath, type StorePath } from '../../../../shared/domain/names.ts';
import { createDeliver } from '../../../../worker/deliver/deliver.ts';
import { createRoots } from '../../../../worker/nix/roots.ts';
import { aDeployment, drv, host, toplevel } from '../../../support/builders.ts';
import { recordingContext } from '../../../support/nix-workshop.ts';

const day = 86_400_000;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deliver-roots-'));
});
afterEach(() => rm(folder, { recursive: true }));

function never(): never {
  throw new Error('nobody asks for this here');
}

/** Of a worker on which everything is valid already. */
function deliverer(hostHasIt = false) {
  const roots = createRoots({ folder });
  const deliver = createDeliver({
    roots,
    store: {
      invalid: async () => new Set(),
      plan: async () => ({ willBuild: [], willFetch: [] }),
      closure: never,
      addFile: never,
    },
    builds: { realise: never },
    push: { push: async () => ({ paths: 0, bytes: 0, closure: [] }) },
    publish: undefined,
    guard: { path: parseStorePath(`/nix/store/${'0'.repeat(32)}-guard`), root: async () => {}, add: never },
    hostHas: async () => ({ toplevel: hostHasIt, guard: hostHasIt }),
    evaluateAgain: never,
    closures: { put: async () => {} },
    settings: { keepToplevels: 2, forgetHostsMs: 90 * day },
  });
  return {
    roots,
    async to(name: string, letter: string, change: Partial<Deployment> = {}) {
      const deployment = aDeployment({
        host: host(name),
        toplevel: toplevel(letter, name),
        drvPath: drv(letter, name),
        ...change,
      });
      expect(await deliver(deployment, recordingContext())).toMatchObject({ kind: 'delivered' });
    },
  };
}

function rootOf(path: StorePath): string {
  return path.slice('/nix/store/'.length);
}

async function rooted(name: string): Promise<readonly string[]> {
  return (await readdir(join(folder, 'hosts', name))).map((root) => root.slice(-1)).toSorted();
}

/** As if nothing had been done to a host's roots for so long. */
async function age(days: number, name: string, ...parts: readonly string[]): Promise<void> {
  const at = new Date(Date.now() - days * day);
  await lutimes(join(folder, 'hosts', name, ...parts), at, at);
}

describe('the roots of the host that is delivered to', () => {
  it('are the newest few, and those that it may have to return to', async () => {
    const { to } = deliverer();
    for (const [i, letter] of ['A', 'B', 'C'].entries()) {
      await to('web1', letter, { retained: [toplevel('A')] });
      await age(10 - i, 'web1', rootOf(toplevel(letter)));
    }
    await to('web1', 'D', { retained: [toplevel('A')] });
    expect(await rooted('web1')).toEqual(['A', 'C', 'D']);
    await to('web1', 'E', { retained: [] });
    expect(await rooted('web1')).toEqual(['D', 'E']);
  });

  it('count as used where the host has it all already', async () => {
    const { to } = deliverer();
    await to('web1', 'A');
    await to('web1', 'B');
    await age(100, 'web1', rootOf(toplevel('A')));
    await age(5, 'web1', rootOf(toplevel('B')));
    await age(100, 'web1');
    await deliverer(true).to('web1', 'A');
    await deliverer().to('web2', 'A');
    await to('web1', 'C');
    expect(await rooted('web1')).toEqual(['A', 'C']);
  });
});

describe('the roots of a host that nothing is delivered to any more', () => {
  const isRooted = (name: string): Promise<boolean> =>
    access(join(folder, 'hosts', name)).then(
      () => true,
      () => false,
    );

  it('go with a delivery to another one, after long', async () => {
    await deliverer().to('old1', 'A');
    await age(91, 'old1');
    await deliverer().to('quiet1', 'A');
    await age(89, 'quiet1');
    await deliverer().to('web1', 'A');
    expect(await isRooted('old1')).toBe(false);
    expect(await isRooted('quiet1')).toBe(true);
    expect(await isRooted('web1')).toBe(true);
  });

  it('come back when it is delivered to again', async () => {
    await deliverer().to('old1', 'A');
    await age(91, 'old1');
    const { to } = deliverer();
    await to('web1', 'A');
    await to('old1', 'A');
    expect(await rooted('old1')).toEqual(['A']);
  });

  it('are looked for once a day only', async () => {
    const { to } = deliverer();
    await to('old1', 'A');
    await age(91, 'old1');
    await to('web1', 'A');
    expect(await isRooted('old1')).toBe(true);
  });
});
