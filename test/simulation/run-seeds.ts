import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Batch, Told } from './batch.ts';
import { batchProgram, compileAll, readSources, writeCopy, type Compiled } from './compile.ts';
import { addTotals, noTotals, type Broken, type Totals } from './totals.ts';

export interface SeedsSpec {
  readonly first: string;
  readonly runs: number;
  /** Child processes at once. */
  readonly jobs: number;
  readonly hosts?: number | undefined;
  readonly onProgress?: (totals: Totals) => void;
}

export interface SeedsResult {
  readonly totals: Totals;
  readonly broken: readonly Broken[];
}

/** Tells many seeds in child processes, which share them among themselves. */
export async function runSeeds(spec: SeedsSpec): Promise<SeedsResult> {
  const { first, runs, jobs, hosts } = spec;
  return inCopy(compileAll(await readSources()), async (folder) => {
    const totals = noTotals();
    const broken: Broken[] = [];
    const hear = (told: Told): void => {
      if (told.kind === 'broken') broken.push(told.broken);
      else {
        addTotals(totals, told.totals);
        spec.onProgress?.(totals);
      }
    };
    await Promise.all(
      Array.from({ length: jobs }, (_, offset) =>
        runBatch(folder, { first, runs, offset, stride: jobs, hosts, stopsAtFirst: false }, hear),
      ),
    );
    return { totals, broken };
  });
}

/** A compiled copy in a folder of its own for as long as `work` needs it. */
export async function inCopy<Value>(
  files: Compiled,
  work: (folder: string) => Promise<Value>,
): Promise<Value> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-simulation-'));
  try {
    await writeCopy(folder, files);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs one child process to its end. `deadlineMs`: it is killed after so long, and that is an error. */
export async function runBatch(
  folder: string,
  batch: Batch,
  hear: (told: Told) => void,
  deadlineMs?: number,
): Promise<void> {
  // There are as many of them as there are cores: one that collects garbage on several is in another one's way.
  const program = ['--single-threaded-gc', join(folder, batchProgram)];
  const child = spawn(process.execPath, [...program, JSON.stringify(batch)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(deadlineMs === undefined ? {} : { timeout: deadlineMs, killSignal: 'SIGKILL' as const }),
  });
  // A parent that is stopped leaves nobody behind.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString()}`.slice(-2_000);
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) hear(JSON.parse(line) as Told);
    const end = await ended;
    if (end !== 0) throw new Error(`a child process ended with ${end}: ${complaint}`);
  } finally {
    process.off('exit', kill);
    child.kill('SIGKILL');
  }
}
