import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

export interface ProcessTrace {
  /** Ends the trace: the programs that the traced processes, and all that they started, have executed, in order. */
  end(): Promise<readonly string[]>;
}

/** Watches the kernel's own account of which programs are executed, from now on. */
export async function traceProcesses(pids: readonly number[]): Promise<ProcessTrace> {
  const trace = await traceCalls(pids, ['execve']);
  return {
    async end() {
      // A program that is looked for along PATH is tried at several places: only the one that was found counts.
      return [...(await trace.end()).matchAll(/execve\("([^"]+)".*\) = 0$/gm)].map(([, path = '']) => path);
    },
  };
}

export interface CallTrace {
  /** Ends the trace: what strace says of the calls, in order. */
  end(): Promise<string>;
}

/** Watches which system calls of these names are made, with the paths of what they are made for. */
export async function traceCalls(pids: readonly number[], names: readonly string[]): Promise<CallTrace> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-trace-'));
  const file = join(folder, 'trace');
  const attach = pids.flatMap((pid) => ['-p', String(pid)]);
  const strace = spawn('strace', ['-f', '-y', '-e', `trace=${names.join(',')}`, '-o', file, ...attach], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  strace.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(strace, 'exit');
  await eventually(() => pids.every((pid) => said.includes(`Process ${pid} attached`)), {
    what: `strace attached (${said})`,
    deadlineMs: 10_000,
  });
  return {
    async end() {
      strace.kill('SIGINT');
      await ended;
      const text = await readFile(file, 'utf8');
      await rm(folder, { recursive: true });
      return text;
    },
  };
}
