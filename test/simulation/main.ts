import { parseArgs } from 'node:util';
import { mutants } from './mutants.ts';
import { rowOf, runMutants, tableHead } from './run-mutants.ts';
import { runSeeds } from './run-seeds.ts';
import { simulate } from './simulate.ts';
import { line, shrink, story } from './story.ts';
import { seedAt, type Broken, type Totals } from './totals.ts';

const usage = `simulate: real controllers and workers on a made-up world, with faults from a seed

  --seed S     the first seed (default: a random one, printed)
  --runs N     how many seeds from there on (default 100)
  --jobs J     in that many processes at once (default 1)
  --hosts H    that many hosts in every run (default: drawn from the seed, 1 to 4)
  --verbose    print every step of every run
  --mutants    break a rule on purpose, one after the other, and see whether an invariant notices
  --only TEXT  only the mutants whose name has this in it

Exits 1 if an invariant was broken, and prints how it came to that; with --mutants if one was not broken.
The same seed always tells the same story.
`;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function counted(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

function headline({ seed, violation }: Broken): string {
  return `seed ${seed} breaks invariant ${violation.invariant}: ${violation.what}`;
}

async function tell(broken: Broken, hosts: number | undefined): Promise<void> {
  print(`\n${headline(broken)}`);
  const { smallest, needed } = await shrink({ seed: broken.seed, hosts }, broken.violation);
  print(`it still does with these faults only: ${needed.length === 0 ? 'none' : needed.join(', ')}\n`);
  for (const event of story(smallest)) print(event);
}

function summary(totals: Totals, began: number): void {
  const seconds = (performance.now() - began) / 1000;
  const speed = (totals.runs / seconds).toFixed(0);
  print(
    `\n${totals.runs} runs, ${totals.steps} steps, ${totals.activations} activations in ${seconds.toFixed(1)} s (${speed} a second)`,
  );
  print(`faults: ${counted(totals.faults)}`);
  print(`hosts at rest: ${counted(totals.verdicts)}`);
}

interface Wish {
  readonly first: string;
  readonly runs: number;
  readonly jobs: number;
  readonly hosts: number | undefined;
}

async function tellSeeds(wish: Wish): Promise<void> {
  const began = performance.now();
  let told = 0;
  const { totals, broken } = await runSeeds({
    ...wish,
    onProgress({ runs }) {
      if (runs < told + 10_000) return;
      told = runs;
      process.stderr.write(`${runs} runs in ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
    },
  });
  // One story is enough to start with; the others are told by their seeds.
  const [first, ...others] = broken;
  if (first !== undefined) await tell(first, wish.hosts);
  for (const other of others) print(headline(other));
  summary(totals, began);
  print(
    broken.length === 0
      ? 'every invariant held'
      : `failed seeds: ${broken.map(({ seed }) => seed).join(' ')}`,
  );
  if (broken.length > 0) process.exitCode = 1;
}

async function tellEveryStep({ first, runs, hosts }: Wish): Promise<void> {
  for (let i = 0; i < runs; i += 1) {
    const seed = seedAt(first, i);
    const { trace, violation } = await simulate({ seed, hosts, traced: true });
    for (const entry of trace) print(line(entry));
    if (violation === undefined) continue;
    process.exitCode = 1;
    print(headline({ seed, violation }));
  }
}

async function tellMutants(only: string | undefined, jobs: number): Promise<void> {
  const chosen = mutants.filter(({ name }) => name.includes(only ?? ''));
  print(tableHead);
  const fates = await runMutants(chosen, jobs, (fate) => print(rowOf(fate)));
  const survivors = fates.filter(({ caught }) => caught === undefined);
  print(`\n${fates.length - survivors.length} of ${fates.length} were caught`);
  if (survivors.length > 0) process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      runs: { type: 'string', default: '100' },
      jobs: { type: 'string' },
      hosts: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      mutants: { type: 'boolean', default: false },
      only: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const numbers = { runs: Number(values.runs), jobs: values.jobs === undefined ? 1 : Number(values.jobs) };
  const hosts = values.hosts === undefined ? undefined : Number(values.hosts);
  const whole = (value: number | undefined): boolean =>
    value === undefined || (Number.isInteger(value) && value > 0);
  if (values.help || ![numbers.runs, numbers.jobs, hosts].every(whole)) {
    print(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  if (values.mutants) return tellMutants(values.only, values.jobs === undefined ? 2 : numbers.jobs);
  const first = values.seed ?? `${Math.floor(Math.random() * 1e9)}`;
  print(`seed ${first}, ${numbers.runs} runs`);
  const wish = { first, hosts, ...numbers };
  return values.verbose ? tellEveryStep(wish) : tellSeeds(wish);
}

await main();
