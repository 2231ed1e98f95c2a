import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import { Queue } from 'bullmq';

import { connectRedis, parseRedisAddress } from '../../shared/platform/redis/client.ts';
import { silentLogger } from '../../shared/platform/logger.ts';
import { keysOf } from '../../shared/platform/redis/keys.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { median, spread, timed } from './measure.ts';
import { figure, type Measured } from './report.ts';
import { startWatchedFleet } from './watched-fleet.ts';

const names = ['web1', 'web2', 'batch1'];
const programs = ['controller', 'worker'] as const;
/** How long the programs are left alone before their memory is looked at, and between two looks, in milliseconds. */
const restMs = 15_000;
const betweenMs = 1_000;

/** What the programs keep in memory when a fleet of three hosts is settled and nothing happens. */
export async function benchMemory(runs: number): Promise<readonly Measured[]> {
  const { fleet, close } = await startWatchedFleet(names);
  try {
    await pause(restMs);
    const looks: Record<(typeof programs)[number], number[]> = { controller: [], worker: [] };
    for (let run = 0; run < runs; run += 1) {
      for (const program of programs) looks[program].push(await residentMiB(await pidOf(fleet, program)));
      await pause(betweenMs);
    }
    return programs.map((program) => ({
      figure: figure({
        bench: 'memory',
        case: `idle ${program}`,
        ours: median(looks[program]),
        theirs: null,
        unit: 'MiB',
        runs,
      }),
      notes: [`resident, ${restMs / 1_000} s after the fleet of three hosts had settled`],
    }));
  } finally {
    await close();
  }
}

/** From the start of a process until it does its work, on a fleet of three hosts that is settled. */
export async function benchStartup(runs: number): Promise<readonly Measured[]> {
  const { fleet, close } = await startWatchedFleet(names);
  const { varve } = fleet;
  const { redis } = varve;
  if (redis === undefined) throw new Error('no Redis of its own');
  const connections = connectRedis({
    address: parseRedisAddress(redis.address),
    logger: silentLogger,
    name: 'bench',
  });
  await connections.ready(10_000);
  const probes = new Queue('probe', {
    connection: connections.commands,
    prefix: keysOf('default')('jobs'),
  });
  const often = { deadlineMs: 60_000, everyMs: 5 };
  const took: Record<(typeof programs)[number], number[]> = { controller: [], worker: [] };
  try {
    for (let run = 0; run < runs; run += 1) {
      await varve.controller.stop();
      await varve.worker.stop();
      took.controller.push(
        await timed(async () => {
          await varve.controller.start();
          await eventually(async () => (await fetch(`${varve.url}/readyz`)).ok, {
            ...often,
            what: 'the controller is ready',
          });
        }),
      );
      // A new leadership probes every host before anything else.
      await eventually(async () => (await probes.getWaitingCount()) === names.length, {
        ...often,
        what: 'every host is to be probed',
      });
      took.worker.push(
        await timed(async () => {
          await varve.worker.start();
          await eventually(async () => (await probes.getWaitingCount()) < names.length, {
            ...often,
            what: 'the worker takes a job',
          });
        }),
      );
      await varve.settle(fleet.first);
    }
  } finally {
    await probes.close();
    await connections.close();
    await close();
  }
  const until = {
    controller: 'until /readyz says yes: leadership taken, ledger read, first pass done',
    worker: 'until it has taken its first job',
  };
  return programs.map((program) => ({
    figure: figure({
      bench: 'startup',
      case: program,
      ours: median(took[program]),
      theirs: null,
      unit: 'ms',
      runs,
    }),
    notes: [`${until[program]}; ${spread(took[program])}`],
  }));
}

/** The process that runs a program of this fleet. */
async function pidOf(fleet: Fleet, program: string): Promise<number> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const argv = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (argv.includes(`/${program}/main.js`) && argv.includes(fleet.varve.dataDir)) return Number(entry);
  }
  throw new Error(`no process of the ${program}`);
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}
