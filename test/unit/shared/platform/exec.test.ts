import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { FleetError } from '../../../../shared/domain/errors.ts';
import { baseEnvironment, createRun } from '../../../../shared/platform/exec.ts';
import { eventually } from '../../../support/eventually.ts';

const graceMs = 500;
const run = createRun({ graceMs });
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-exec-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Gone, or a zombie that nobody has reaped yet. */
async function isDead(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return true;
  }
}

async function pidIn(file: string): Promise<number> {
  return eventually(async () => Number(await readFile(join(folder, file), 'utf8')) || undefined, {
    what: `a process id in ${file}`,
    deadlineMs: 5_000,
  });
}

describe('running a program', () => {
  it('gives its output, its exit status and the end of its standard error', async () => {
    const result = await run(['sh', '-c', 'echo out; echo err >&2; exit 3'], { deadlineMs: 5_000 });
    expect(result).toMatchObject({ code: 3, signal: undefined, stderrTail: 'err\n', truncated: false });
    expect(result.stdout.toString()).toBe('out\n');
  });

  it('keeps a signal apart from an exit status', async () => {
    const result = await run(['sh', '-c', 'kill -KILL $$'], { deadlineMs: 5_000 });
    expect(result).toMatchObject({ code: undefined, signal: 'SIGKILL' });
  });

  it('passes arguments on as they are, whatever characters they are made of', async () => {
    const nasty = ['$(id)', '; true', "it's", 'a\nb', '--option'];
    const result = await run(['printf', '%s|', ...nasty], { deadlineMs: 5_000 });
    expect(result.stdout.toString()).toBe(`${nasty.join('|')}|`);
  });

  it('refuses an argument with a NUL byte', async () => {
    await expect(run(['echo', 'a\0b'], { deadlineMs: 5_000 })).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('feeds standard input and closes it', async () => {
    const input = Buffer.alloc(3_000_000, 'x');
    const result = await run(['cat'], { input, deadlineMs: 10_000 });
    expect(result.stdout.equals(input)).toBe(true);
  });

  it('does not mind a program that ends without reading its input', async () => {
    const result = await run(['true'], { input: Buffer.alloc(1_000_000), deadlineMs: 5_000 });
    expect(result.code).toBe(0);
  });

  it('gives an empty standard input when there is none to feed', async () => {
    const result = await run(['cat'], { deadlineMs: 5_000 });
    expect(result.stdout.length).toBe(0);
  });

  it('gives lines as they come, also the last one without a line end', async () => {
    const seen: string[] = [];
    await run(['printf', 'ä\r\n\nlast'], {
      deadlineMs: 5_000,
      onLine: (line, stream) => seen.push(`${stream} ${line}`),
    });
    expect(seen).toEqual(['stdout ä', 'stdout ', 'stdout last']);
  });

  it('hands its output on as it comes, and keeps none of it then', async () => {
    const chunks: Buffer[] = [];
    const argv = ['sh', '-c', 'echo one; echo two; echo oops >&2'] as const;
    const result = await run(argv, { deadlineMs: 5_000, onOutput: (chunk) => chunks.push(chunk) });
    expect(Buffer.concat(chunks).toString('utf8')).toBe('one\ntwo\n');
    expect(result.stdout.length).toBe(0);
    expect(result.stderrTail).toBe('oops\n');
  });

  it('is ended, and says why, when what takes its output has no use for more', async () => {
    const error = new FleetError({ code: 'LEDGER_BROKEN', disposition: 'stalled', message: 'no more' });
    let asked = 0;
    const refusing = run(['sh', '-c', 'yes'], {
      deadlineMs: 5_000,
      onOutput() {
        asked += 1;
        throw error;
      },
    });
    await expect(refusing).rejects.toBe(error);
    expect(asked).toBe(1);
  });

  it('keeps no more output than it was told to', async () => {
    const result = await run(['head', '-c', '1000000', '/dev/zero'], {
      deadlineMs: 5_000,
      maxOutputBytes: 1_000,
    });
    expect(result).toMatchObject({ code: 0, truncated: true });
    expect(result.stdout.length).toBe(1_000);
  });

  it('keeps the end of a long standard error', async () => {
    const result = await run(['sh', '-c', 'seq 1 100000 >&2'], { deadlineMs: 5_000 });
    expect(result.stderrTail.length).toBe(64 * 1024);
    expect(result.stderrTail.endsWith('\n100000\n')).toBe(true);
  });

  it('hands on only the harmless part of the environment', () => {
    const from = { PATH: '/bin', NIX_PATH: 'x', LC_ALL: 'C', GITHUB_TOKEN: 'secret', VARVE_TOKEN: 'secret' };
    expect(baseEnvironment(from)).toEqual({ PATH: '/bin', NIX_PATH: 'x', LC_ALL: 'C' });
  });

  it('uses a given environment instead of its own', async () => {
    const result = await run(['/usr/bin/env'], { env: { ONLY: 'this' }, deadlineMs: 5_000 });
    expect(result.stdout.toString()).toBe('ONLY=this\n');
  });
});

describe('a program that cannot be run', () => {
  it('is named together with a way to get it', async () => {
    const path = { PATH: folder };
    await expect(run(['zstd', '-d'], { env: path, deadlineMs: 5_000 })).rejects.toMatchObject({
      code: 'PROGRAM_MISSING',
      disposition: 'stalled',
      hint: expect.stringContaining('apt-get install zstd'),
    });
  });

  it('is not called missing when it is the folder that is missing', async () => {
    await expect(run(['true'], { cwd: join(folder, 'nowhere'), deadlineMs: 5_000 })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });
});

describe('ending a program early', () => {
  it('ends what it started as well when the deadline passes', async () => {
    const script = `sleep 100 & echo $! > ${folder}/grandchild; wait`;
    await expect(run(['sh', '-c', script], { deadlineMs: 300 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
    expect(await isDead(await pidIn('grandchild'))).toBe(true);
  });

  it('kills a grandchild that ignores the request to end', async () => {
    const script = `(trap '' TERM; echo $BASHPID > ${folder}/deaf; sleep 100) & wait`;
    await expect(run(['bash', '-c', script], { deadlineMs: 300 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
    });
    const pid = await pidIn('deaf');
    await eventually(() => isDead(pid), { what: 'the grandchild to be gone', deadlineMs: 2_000 });
  });

  it('kills a program that ignores the request to end', async () => {
    const script = `trap '' TERM; echo $$ > ${folder}/deaf; while :; do sleep 0.1; done`;
    const startedAt = performance.now();
    await expect(run(['bash', '-c', script], { deadlineMs: 200 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
    });
    expect(performance.now() - startedAt).toBeGreaterThan(200 + graceMs);
    expect(await isDead(await pidIn('deaf'))).toBe(true);
  });

  it('stops at once when the signal aborts', async () => {
    const abort = new AbortController();
    const running = run(['sh', '-c', `echo $$ > ${folder}/pid; exec sleep 100`], {
      signal: abort.signal,
      deadlineMs: 60_000,
    });
    // Handled from the start: the rejection comes while the test still looks at something else.
    const ending = running.catch((thrown: unknown) => thrown);
    const pid = await pidIn('pid');
    abort.abort();
    expect(await ending).toMatchObject({ code: 'CANCELLED' });
    expect(await isDead(pid)).toBe(true);
  });

  it('starts nothing when the signal has aborted already', async () => {
    const running = run(['touch', join(folder, 'started')], {
      signal: AbortSignal.abort(),
      deadlineMs: 5_000,
    });
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(readFile(join(folder, 'started'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('does not wait for what a program leaves behind with its output open', async () => {
    const startedAt = performance.now();
    const result = await run(['sh', '-c', `sleep 100 & echo $! > ${folder}/left; echo done`], {
      deadlineMs: 60_000,
    });
    expect(result.stdout.toString()).toBe('done\n');
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const pid = await pidIn('left');
    await eventually(() => isDead(pid), { what: 'the left-over to be gone', deadlineMs: 2_000 });
  });

  it('stops the program when its output cannot be handled', async () => {
    const running = run(['sh', '-c', 'echo one; exec sleep 100'], {
      deadlineMs: 60_000,
      onLine: () => {
        throw new Error('no');
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
