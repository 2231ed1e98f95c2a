import process from 'node:process';

import { createGitLedger, ledgerRef } from '../../controller/ledger/git-ledger.ts';
import { fleetHistory } from '../../controller/views/history.ts';
import { type Memory } from '../../shared/domain/memory.ts';
import { createMemory } from '../../shared/domain/memory-keeper.ts';
import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { createSystemClock } from '../../shared/platform/system-clock.ts';
import { median, timed } from './measure.ts';

/** What a leader measured of itself who took office with a ledger, read and appended to it. */
export interface Office {
  readonly loadMs: number;
  readonly appendMs: readonly number[];
  readonly logMs: number;
  readonly shortHistoryMs: number;
  readonly longHistoryMs: number;
  readonly residentMiB: number;
  readonly heapMiB: number;
}

/** Each append is short, and the disk's moods are large. */
export const appends = 20;
const mib = 1024 ** 2;

/** The program: `ledger-leader DIR`. One line of JSON. */
async function takeOffice(dir: string): Promise<Office> {
  const git = createGitProgram({ run: createRun() });
  const ledger = createGitLedger({ git, clock: createSystemClock(), log: silentLogger }, { dir });
  const keeper = createMemory();
  const loadMs = await timed(async () => {
    for (const fact of await ledger.load()) keeper.remember(fact);
  });
  const appendMs: number[] = [];
  for (let n = 0; n <= appends; n += 1) {
    const at = Date.now();
    const epoch = keeper.memory.epoch + n + 1;
    const took = await timed(() => ledger.append([{ kind: 'epoch', at, epoch, leader: 'bench' }]));
    // The first one finds cold caches.
    if (n > 0) appendMs.push(took);
  }
  const residentMiB = process.resourceUsage().maxRSS / 1024;
  globalThis.gc?.();
  const heapMiB = process.memoryUsage().heapUsed / mib;
  const logMs = await timed(() => git.ok(['log', '-20', ledgerRef], { cwd: dir }));
  const shortHistoryMs = await asked(keeper.memory, 20);
  const longHistoryMs = await asked(keeper.memory, 1_000);
  await ledger.close();
  return { loadMs, appendMs, logMs, shortHistoryMs, longHistoryMs, residentMiB, heapMiB };
}

/** How long a history takes that was asked for before: the first one fills the index. */
async function asked(memory: Memory, limit: number): Promise<number> {
  const source = { observed: undefined, failure: undefined } as never;
  const context = { at: 0, memory, source, last: undefined, activity: () => undefined };
  const took: number[] = [];
  for (let run = 0; run < 6; run += 1) {
    const began = performance.now();
    await fleetHistory(context, limit);
    if (run > 0) took.push(performance.now() - began);
  }
  return median(took);
}

const [dir] = process.argv.slice(2);
if (import.meta.filename === process.argv[1] && dir !== undefined) {
  process.stdout.write(`${JSON.stringify(await takeOffice(dir))}\n`);
}
