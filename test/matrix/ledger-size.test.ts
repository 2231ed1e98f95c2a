import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createGitLedger, type GitLedger, ledgerRef } from '../../controller/ledger/git-ledger.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import { createMemory } from '../../shared/domain/memory-keeper.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { eventually } from '../support/eventually.ts';
import { passesOfYears, writeYears } from '../support/long-ledger.ts';

const commits = 100_000;
const git = createGitProgram({ run: createRun() });

/** In this order: each goes on with the ledger that the one before left. */
describe('a ledger of 100,000 commits', () => {
  let folder = '';
  let dir = '';
  let written = { facts: 0, observations: 0 };
  let ledger: GitLedger;

  const open = (): GitLedger =>
    createGitLedger({ git, clock: createSystemClock(), log: silentLogger }, { dir });
  const count = async (name: string): Promise<number> =>
    Number(
      new RegExp(`^${name}: (\\d+)$`, 'm').exec(await git.ok(['count-objects', '-v'], { cwd: dir }))?.[1],
    );
  const anEpoch = (epoch: number): Fact => ({ kind: 'epoch', at: Date.now(), epoch, leader: 'controller-b' });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-ledger-'));
    dir = join(folder, 'ledger.git');
    await git.ok(['init', '--quiet', '--bare', dir]);
    written = await writeYears(dir, commits);
    ledger = open();
  });

  afterAll(async () => {
    await ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('is read to the last fact, in order, and makes a whole memory', async () => {
    const facts = await ledger.load();
    expect(facts.length).toBe(written.facts);
    const { memory, remember } = createMemory();
    let at = 0;
    for (const { facts: expected } of passesOfYears()) {
      // Not all by `expect`, which would take minutes; one in a thousand of them is compared as a whole.
      for (const fact of expected) {
        const read = facts[at];
        if (read?.kind !== fact.kind || read.at !== fact.at) expect(read).toEqual(fact);
        if (at % 1_000 === 0) expect(read).toEqual(fact);
        at += 1;
      }
      if (at >= facts.length) break;
    }
    expect(at).toBe(facts.length);
    facts.forEach(remember);
    expect(memory.observations.length).toBe(written.observations);
    expect(memory.observations.at(-1)?.n).toBe(written.observations);
    expect(memory.outcomes.length).toBe(memory.outcomeOf.size);
  });

  it('gets one small commit for each append', async () => {
    const before = await count('count');
    expect(await ledger.append([anEpoch(2)])).toMatchObject({ kind: 'appended' });
    expect(await git.ok(['rev-list', '--count', ledgerRef], { cwd: dir })).toBe(String(commits + 1));
    // The commit, its file, and the lists of the root, the year, the month and the day.
    expect((await count('count')) - before).toBe(6);
    const changed = await git.ok(['diff', '--name-status', `${ledgerRef}~1`, ledgerRef], { cwd: dir });
    expect(changed).toMatch(new RegExp(`^A\t\\d{4}/\\d\\d/\\d\\d/${commits + 1}\\.jsonl$`));
  });

  it('is readable: a commit says in a line what happened, and a day is a short list', async () => {
    const subjects = (await git.ok(['log', '-50', '--format=%s', ledgerRef], { cwd: dir })).split('\n');
    for (const subject of subjects) expect(subject).toMatch(/^[a-z].{3,99}$/);
    const files = (await git.ok(['ls-tree', '-r', '--name-only', ledgerRef], { cwd: dir })).split('\n');
    expect(files.length).toBe(commits + 1);
    const perDay = new Map<string, number>();
    for (const file of files) perDay.set(file.slice(0, 10), (perDay.get(file.slice(0, 10)) ?? 0) + 1);
    expect(Math.max(...perDay.values())).toBeLessThan(200);
  });

  it('is packed while it is led, and has lost nothing by it', async () => {
    for (let epoch = 3; epoch <= 1_002; epoch += 1) await ledger.append([anEpoch(epoch)]);
    await eventually(async () => (await count('packs')) >= 2 && (await count('count')) < 100, {
      what: 'what was loose is in a pack',
      deadlineMs: 120_000,
    });
    await ledger.close();
    ledger = open();
    const facts = await ledger.load();
    expect(facts.length).toBe(written.facts + 1_001);
    expect(facts.at(-1)).toMatchObject({ epoch: 1_002 });
  });
});
