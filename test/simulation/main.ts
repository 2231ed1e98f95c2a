import { parseArgs } from 'node:util';
import type { FaultKind } from './faults.ts';
import { simulate, type RunResult, type RunSpec } from './simulate.ts';
import { line, shrink, story } from './story.ts';

const usage = `simulate: real controllers and workers on a made-up world, with faults from a seed

  --seed S     the first seed (default: a random one, printed)
  --runs N     how many seeds from there on (default 100)
  --hosts H    that many hosts in every run (default: drawn from the seed, 1 to 4)
  --verbose    print every step of every run

Exits 1 if an invariant was broken, and prints how it came to that. The same seed always tells the same story.
`;

interface Totals {
  runs: number;
  steps: number;
  activations: number;
  readonly faults: Map<FaultKind, number>;
  readonly verdicts: Map<string, number>;
}

function addAll<Key>(to: Map<Key, number>, from: ReadonlyMap<Key, number>): void {
  for (const [key, count] of from) to.set(key, (to.get(key) ?? 0) + count);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

async function tell(spec: RunSpec, failed: RunResult): Promise<void> {
  print(`\nseed ${failed.seed} breaks invariant ${failed.violation?.invariant}: ${failed.violation?.what}`);
  const smallest = await shrink(spec, failed);
  const kinds = [...smallest.kinds].join(', ');
  print(`it still does with these faults only: ${kinds === '' ? 'none' : kinds}\n`);
  for (const event of story(smallest)) print(event);
}

/** Seeds that are numbers count up; others get a number appended. */
function seedAt(seed: string, i: number): string {
  if (i === 0) return seed;
  return /^\d{1,15}$/.test(seed) ? `${Number(seed) + i}` : `${seed}+${i}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      runs: { type: 'string', default: '100' },
      hosts: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const runs = Number(values.runs);
  const hosts = values.hosts === undefined ? undefined : Number(values.hosts);
  const whole = (value: number | undefined): boolean =>
    value === undefined || (Number.isInteger(value) && value > 0);
  if (values.help || !whole(runs) || !whole(hosts)) {
    print(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const first = values.seed ?? `${Math.floor(Math.random() * 1e9)}`;
  print(`seed ${first}, ${runs} runs`);
  const began = performance.now();
  const totals: Totals = { runs: 0, steps: 0, activations: 0, faults: new Map(), verdicts: new Map() };
  const failures: string[] = [];
  for (let i = 0; i < runs; i += 1) {
    const spec: RunSpec = { seed: seedAt(first, i), hosts };
    const result = await simulate(spec);
    totals.runs += 1;
    totals.steps += result.steps;
    totals.activations += result.activations;
    addAll(totals.faults, result.faults);
    addAll(totals.verdicts, result.verdicts);
    if (values.verbose) for (const entry of result.trace) print(line(entry));
    if (result.violation === undefined) continue;
    failures.push(result.seed);
    // One story is enough to start with; the others are told by their seeds.
    if (failures.length === 1) await tell(spec, result);
    else
      print(`seed ${result.seed} breaks invariant ${result.violation.invariant}: ${result.violation.what}`);
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  print(`\n${totals.runs} runs, ${totals.steps} steps, ${totals.activations} activations in ${seconds} s`);
  print(`faults: ${counted(totals.faults)}`);
  print(`hosts at rest: ${counted(totals.verdicts)}`);
  print(failures.length === 0 ? 'every invariant held' : `failed seeds: ${failures.join(' ')}`);
  if (failures.length > 0) process.exitCode = 1;
}

await main();
