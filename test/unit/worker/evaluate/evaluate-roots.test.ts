import { lstat, lutimes, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { parseTree } from '../../../../shared/domain/names.ts';
import { createEvaluate } from '../../../../worker/evaluate/evaluate.ts';
import { createRoots } from '../../../../worker/nix/roots.ts';
import { aRelease, sha, toplevel } from '../../../support/builders.ts';
import { recordingContext } from '../../../support/nix-workshop.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evaluate-roots-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an evaluation', () => {
  it('keeps the roots of every host that it has from being forgotten, and makes none', async () => {
    const roots = createRoots({ folder });
    for (const name of ['quiet1', 'old1']) {
      await roots.put(['hosts', name], 'a', toplevel('A', name));
      await lutimes(join(folder, 'hosts', name), 0, 0);
    }
    const { hosts } = aRelease('A', { quiet1: 'A', new1: 'A' });
    const evaluation = createEvaluate({
      evaluator: { evaluate: async () => hosts },
      roots,
      settings: { keepReleases: 5 },
    });
    const tree = parseTree(sha('t'));
    const request = {
      key: `${tree}.k`,
      tree,
      folder: '.',
      attribute: 'nixosConfigurations',
      hosts: 'all' as const,
    };
    expect(await evaluation.evaluate(request, recordingContext())).toMatchObject({ kind: 'complete' });
    expect((await readdir(join(folder, 'hosts'))).toSorted()).toEqual(['old1', 'quiet1']);
    expect((await lstat(join(folder, 'hosts/quiet1'))).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
    expect((await lstat(join(folder, 'hosts/old1'))).mtimeMs).toBe(0);
  });
});
