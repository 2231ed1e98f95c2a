import { plan } from '../../controller/reconcile/plan/plan.ts';
import type { Patience } from '../../controller/reconcile/plan/plan-input.ts';
import type { Desired } from '../../shared/domain/desired.ts';
import {
  adopted,
  aFleet,
  aSpec,
  host,
  incarnation,
  observed,
  reached,
  released,
  remembering,
  running,
  toplevel,
  wanting,
} from '../support/builders.ts';
import { median, spread } from './measure.ts';
import { figure, type Measured } from './report.ts';

const hosts = 10_000;
const limitMs = 100;
/** Each is short: more of them cost nothing. */
const leastRuns = 20;
const warmUp = 10;

const patience: Patience = {
  probeEveryMs: 300_000,
  backOffMs: 5_000,
  longestBackOffMs: 600_000,
  lookAgainMs: 1_000,
};

/** The pure plan for a fleet of which every other host is in sync and the rest has a new system to get. */
export function benchPlan(asked: number): Measured {
  const runs = Math.max(asked, leastRuns);
  const names = Array.from({ length: hosts }, (_, i) => `host${i}`);
  const old = Object.fromEntries(names.map((name) => [name, 'A']));
  const wanted = Object.fromEntries(names.map((name, i) => [name, i % 2 === 0 ? 'A' : 'B']));
  const fleet = aFleet(names.map((name) => aSpec(name)));
  const memory = remembering(
    ...names.map((name) => adopted(name, toplevel('A', name))),
    observed(1, 'A'),
    released('A', old),
    observed(2, 'B'),
    released('B', wanted),
  );
  const desired: Desired = wanting(2, 'B', fleet, wanted);
  const contacts = new Map(
    names.map((name) => [host(name), reached(name, running(toplevel('A', name)), 10_000)]),
  );
  const observedNow = { incarnation, memory, contacts, deployments: [] };
  const took: number[] = [];
  let deliveries = 0;
  for (let run = -warmUp; run < runs; run += 1) {
    const began = performance.now();
    const { verdicts } = plan(desired, observedNow, patience, 20_000);
    const ended = performance.now();
    if (run >= 0) took.push(ended - began);
    deliveries = verdicts.filter(({ kind }) => kind === 'deliver').length;
  }
  if (deliveries !== hosts / 2) throw new Error(`${deliveries} hosts are to get a new system`);
  return {
    figure: figure({
      bench: 'plan',
      case: `${hosts} hosts`,
      ours: median(took),
      theirs: limitMs,
      unit: 'ms',
      runs,
    }),
    notes: [`theirs is the limit; ours ${spread(took)}, after ${warmUp} calls to warm up`],
  };
}
