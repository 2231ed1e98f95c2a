import { mayStart } from '../../controller/reconcile/plan/windows.ts';
import type { Freeze, Window } from '../../shared/domain/policy.ts';
import { host } from '../support/builders.ts';
import { allow, deny, freeze, hour, minute } from '../support/windows.ts';
import { median, spread } from './measure.ts';
import { figure, type Measured } from './report.ts';

const hosts = 10_000;
const limitMs = 20;
const leastRuns = 20;
const warmUp = 10;

/** Whether an activation may start, for every host of a fleet that shares three windows and two freezes. */
export function benchWindows(asked: number): Measured {
  const runs = Math.max(asked, leastRuns);
  const windows: readonly Window[] = [
    allow('0 22 * * *', 4 * hour, 'Europe/Berlin'),
    allow('*/30 3 * * 1-5', 10 * minute, 'America/New_York'),
    deny('0 22 * * 5', hour),
  ];
  const freezes: readonly Freeze[] = [
    freeze('2026-12-20T00:00:00Z', '2027-01-02T00:00:00Z', { kind: 'group', group: 'odd' }),
    freeze('2026-07-01T00:00:00Z', '2026-07-08T00:00:00Z', { kind: 'group', group: 'even' }),
  ];
  const members = Array.from({ length: hosts }, (_, i) => ({
    name: host(`host${i}`),
    groups: [i % 2 === 0 ? 'even' : 'odd'],
  }));
  const overrides: readonly never[] = [];
  const took: number[] = [];
  for (let run = -warmUp; run < runs; run += 1) {
    // Every pass is at another time; each second one at night, when hosts that are not frozen may be activated.
    const now = Date.parse(`2026-07-02T${run % 2 === 0 ? '12' : '21'}:00:00Z`) + run * minute;
    const began = performance.now();
    const answers = members.map((member) => mayStart({ windows, freezes, overrides, member }, now));
    if (run >= 0) took.push(performance.now() - began);
    const open = answers.filter((answer) => answer.open).length;
    if (open !== (run % 2 === 0 ? 0 : hosts / 2)) throw new Error(`an activation may start on ${open} hosts`);
  }
  return {
    figure: figure({
      bench: 'windows',
      case: `${hosts} hosts, 3 windows`,
      ours: median(took),
      theirs: limitMs,
      unit: 'ms',
      runs,
    }),
    notes: [`theirs is the limit; ours ${spread(took)}, after ${warmUp} calls to warm up`],
  };
}
