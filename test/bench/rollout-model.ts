import { join } from 'node:path';
import process from 'node:process';

import { createRun } from '../../shared/platform/exec.ts';
import { median, spread } from './measure.ts';
import { tickMs } from './model-world.ts';
import { figure, type Measured } from './report.ts';
import type { RolloutFigures } from './rollout-leader.ts';

/** What is promised of a pass, and of memory where that is promised. */
const cases = [
  { hosts: 1_000, passMs: 100, heapMiB: null },
  { hosts: 10_000, passMs: 1_000, heapMiB: 300 },
] as const;

const leader = join(import.meta.dirname, 'rollout-leader.ts');

/**
 * A commit that changes every host, in five waves, by the reconciler as it is, on a store, a queue, a ledger and hosts
 * in memory and in virtual time. Each leader is a process of its own: memory that another one left would be measured too.
 */
export async function* benchRolloutModel(runs: number): AsyncGenerator<Measured> {
  for (const { hosts, passMs, heapMiB } of cases) {
    const led: RolloutFigures[] = [];
    for (let run = 0; run < runs; run += 1) led.push(await lead(hosts));
    const named = { bench: 'rollout-model', runs } as const;
    const one = (
      what: string,
      unit: 'ms' | 'MiB',
      theirs: number | null,
      pick: (figures: RolloutFigures) => number,
    ) => figure({ ...named, case: `${hosts} hosts, ${what}`, ours: median(led.map(pick)), theirs, unit });
    const passes = median(led.map(({ passesMs }) => passesMs.length));
    const virtual = median(led.map(({ virtualMs }) => virtualMs)) / 1_000;
    const perSecond = led.map(({ events, passesMs }) => events / (sum(passesMs) / 1_000));
    yield {
      figure: one('pass, p50', 'ms', passMs, ({ passesMs }) => quantile(passesMs, 0.5)),
      notes: [`theirs is the limit; ${passes} passes a run, at most one in ${tickMs} ms of virtual time`],
    };
    yield {
      figure: one('pass, p99', 'ms', passMs, ({ passesMs }) => quantile(passesMs, 0.99)),
      notes: [
        `theirs is the limit; longest pass ${spread(led.map(({ passesMs }) => Math.max(...passesMs)))}`,
      ],
    };
    yield {
      figure: one('processor time', 'ms', null, ({ cpuMs }) => cpuMs),
      notes: [
        `of all passes of a rollout of ${virtual} s, without what workers and hosts do between them; ${median(led.map(({ events }) => events))} events and ${median(led.map(({ facts }) => facts))} facts a run, ${Math.round(median(perSecond))} events a second of passes`,
      ],
    };
    yield {
      figure: one('heap', 'MiB', heapMiB, ({ heapMiB: most }) => most),
      notes: [
        `the most after a pass, garbage and models included${heapMiB === null ? '' : '; theirs is the limit'}`,
      ],
    };
    yield {
      figure: one('resident size', 'MiB', heapMiB, ({ residentMiB }) => residentMiB),
      notes: ['the most of the whole process, with the models and the compiler that runs TypeScript'],
    };
  }
}

async function lead(hosts: number): Promise<RolloutFigures> {
  const argv = ['--import', 'tsx', leader, String(hosts)];
  const result = await createRun()([process.execPath, ...argv], { deadlineMs: 600_000 });
  if (result.code !== 0) throw new Error(result.stderrTail);
  return JSON.parse(result.stdout.toString('utf8')) as RolloutFigures;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The value that so large a share of all is not above. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}
