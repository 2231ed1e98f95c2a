import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { createRun } from '../../shared/platform/exec.ts';
import { createGitProgram } from '../../shared/platform/git-program.ts';
import { fleetOfYears, writeYears } from '../support/long-ledger.ts';
import { appends, type Office } from './ledger-leader.ts';
import { median, spread, timed } from './measure.ts';
import { figure, type Figure, type Measured } from './report.ts';

const commits = 100_000;
const few = 100;
const mib = 1024 ** 2;

const leader = join(import.meta.dirname, 'ledger-leader.ts');

const git = createGitProgram({ run: createRun() });

/**
 * A ledger of 100,000 commits, and one of 100 beside it: what a leader waits for and holds who takes office with it, and
 * what a pass and people wait for then. Each leader is a process of its own, as it is in life: memory that another one
 * left behind would be measured too.
 */
export async function* benchLedger(runs: number): AsyncGenerator<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-bench-'));
  try {
    const [long, short] = [join(folder, 'long.git'), join(folder, 'short.git')];
    for (const dir of [long, short]) await git.ok(['init', '--quiet', '--bare', dir]);
    let written = { facts: 0, observations: 0 };
    const buildMs = await timed(async () => (written = await writeYears(long, commits)));
    await writeYears(short, few);
    const inLong: Office[] = [];
    const inShort: Office[] = [];
    for (let run = 0; run < runs; run += 1) {
      inLong.push(await inOffice(long));
      inShort.push(await inOffice(short));
    }
    const named = { bench: 'ledger', runs } as const;
    const against = (what: string, pick: (office: Office) => number): Figure =>
      figure({
        ...named,
        case: `${what}, ${commits} commits against ${few}`,
        ours: median(inLong.map(pick)),
        theirs: median(inShort.map(pick)),
        unit: 'ms',
      });
    const alone = (what: string, unit: Figure['unit'], pick: (office: Office) => number): Figure =>
      figure({ ...named, case: what, ours: median(inLong.map(pick)), theirs: null, unit });
    const observed = `${written.facts} facts, ${written.observations} observations, ${fleetOfYears.length} hosts`;
    yield {
      figure: alone('load', 'ms', ({ loadMs }) => loadMs),
      notes: [
        `${observed}; every hash checked, and learned by the memory; ${spread(inLong.map(({ loadMs }) => loadMs))}; made in ${Math.round(buildMs / 1_000)} s`,
      ],
    };
    yield {
      figure: alone('heap of a leader', 'MiB', ({ heapMiB }) => heapMiB),
      notes: ['after a collection; the whole process, of which some 10 MiB are not the history'],
    };
    yield {
      figure: alone('resident size of a leader', 'MiB', ({ residentMiB }) => residentMiB),
      notes: ['the most that it was: while it loads'],
    };
    const appended = inLong.flatMap(({ appendMs }) => appendMs);
    yield {
      figure: against('append', ({ appendMs }) => median(appendMs)),
      notes: [`of ${appends} appends a run; ${spread(appended)}`],
    };
    yield { figure: against('git log -20', ({ logMs }) => logMs), notes: [] };
    yield {
      figure: alone('history, 20 observations', 'ms', ({ shortHistoryMs }) => shortHistoryMs),
      notes: [],
    };
    yield {
      figure: alone('history, 1000 observations', 'ms', ({ longHistoryMs }) => longHistoryMs),
      notes: [],
    };
    yield {
      figure: figure({
        ...named,
        case: 'size on disk',
        ours: (await sizeOf(long)) / mib,
        theirs: null,
        unit: 'MiB',
        runs: 1,
      }),
      notes: [`with the ${runs * (appends + 1)} loose commits of this benchmark`],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One leader, in a process of its own. */
async function inOffice(dir: string): Promise<Office> {
  const argv = ['--expose-gc', '--import', 'tsx', leader, dir];
  const result = await createRun()([process.execPath, ...argv], { deadlineMs: 120_000 });
  if (result.code !== 0) throw new Error(result.stderrTail);
  return JSON.parse(result.stdout.toString('utf8')) as Office;
}

async function sizeOf(dir: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}
