import { parseArgs } from 'node:util';

import { sweepStaleLabs } from '../hosts/sweep.ts';
import { benchCommit } from './commit.ts';
import { benchLedger } from './ledger.ts';
import { benchNoop } from './noop.ts';
import { benchPlan } from './plan.ts';
import { benchPush } from './push.ts';
import { asJson, asTable, type Measured } from './report.ts';
import { benchMemory, benchStartup } from './resting.ts';
import { benchRevert } from './revert.ts';
import { benchRolloutModel } from './rollout-model.ts';
import { benchRolloutReal } from './rollout-real.ts';
import { benchWindows } from './windows.ts';

type Bench = (runs: number) => AsyncIterable<Measured>;

/** Each yields its figures as they are there. */
const benches: Readonly<Record<string, Bench>> = {
  async *revert(runs) {
    yield await benchRevert(3, runs);
    yield await benchRevert(12, runs);
  },
  async *commit(runs) {
    yield await benchCommit(runs);
  },
  async *noop(runs) {
    yield await benchNoop(runs);
  },
  async *plan(runs) {
    yield benchPlan(runs);
  },
  async *windows(runs) {
    yield benchWindows(runs);
  },
  ledger: benchLedger,
  push: benchPush,
  'rollout-model': benchRolloutModel,
  'rollout-real': benchRolloutReal,
  async *memory(runs) {
    yield* await benchMemory(runs);
  },
  async *startup(runs) {
    yield* await benchStartup(runs);
  },
};

const fewestRuns = 5;

const usage = `usage: npm run bench -- NAME [--json] [--runs N]

NAME: ${Object.keys(benches).join(', ')}, or all
--json    one JSON object a line instead of a table
--runs N  how often each side is measured; 5 unless said otherwise, and not less: of fewer a median says little
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' }, runs: { type: 'string' }, help: { type: 'boolean' } },
  });
  const [name = '', ...rest] = positionals;
  const runs = Number(values.runs ?? fewestRuns);
  const chosen = name === 'all' ? Object.values(benches) : [benches[name]];
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (rest.length > 0 || !Number.isInteger(runs) || runs < fewestRuns || chosen.includes(undefined)) {
    process.stderr.write(usage);
    return 64;
  }
  const all: Measured[] = [];
  for (const bench of chosen) {
    for await (const measured of bench?.(runs) ?? []) {
      all.push(measured);
      if (values.json === true) process.stdout.write(asJson(measured));
      else process.stderr.write(`${measured.figure.bench}, ${measured.figure.case}: measured\n`);
    }
  }
  if (values.json !== true) process.stdout.write(`\n${asTable(all)}`);
  return 0;
}

try {
  process.exitCode = await main();
} finally {
  await sweepStaleLabs();
}
