import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it, onTestFinished } from 'vitest';

import { createRun } from '../../../../shared/platform/exec.ts';
import { askWorkerCommand } from '../../../../worker/checks/ask-worker.ts';
import { eventually } from '../../../support/eventually.ts';

const run = createRun({ graceMs: 100 });

function asked(argv: readonly [string, ...string[]] | undefined, timeoutMs = 5_000, most = 60_000) {
  return askWorkerCommand('is-well', argv === undefined ? undefined : { argv, timeoutMs: most }, {
    run,
    environment: { VARVE_HOST: 'web1', VARVE_ADDRESS: '10.0.0.1' },
    timeoutMs,
    signal: new AbortController().signal,
  });
}

describe('a command of the worker', () => {
  it('passes when it exits with 0', async () => {
    expect(await asked(['true'])).toBeUndefined();
  });

  it('fails with its status and the end of what it said, on either stream', async () => {
    expect(await asked(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toMatch(
      /^the worker command is-well ended with 3: (out err|err out)$/,
    );
  });

  it('is told which host it is about, and gets its arguments without a shell', async () => {
    expect(
      await asked(['sh', '-c', 'echo "$VARVE_HOST $VARVE_ADDRESS $1"; exit 1', 'sh', '$(id) *']),
    ).toContain('web1 10.0.0.1 $(id) *');
  });

  it('that nobody defined fails, and the message says where it belongs', async () => {
    expect(await asked(undefined)).toBe(
      'no worker command is named is-well: it belongs under worker.commands in the service configuration',
    );
  });

  it('whose program is not there fails', async () => {
    expect(await asked(['/nowhere/at-all'])).toContain('/nowhere/at-all is not on PATH');
  });

  it('that is given up says nothing of whom it is about', async () => {
    const stop = new AbortController();
    const command = { argv: ['sh', '-c', 'echo ready; exec sleep 60'] as const, timeoutMs: 60_000 };
    const options = { run, environment: {}, timeoutMs: 60_000, signal: stop.signal };
    const given = askWorkerCommand('is-well', command, options);
    stop.abort();
    await expect(given).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it.for([
    ['its check', 200, 60_000],
    ['the service configuration', 60_000, 200],
  ] as const)('is killed with all that it started at the time-out of %s', async ([, timeoutMs, most]) => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-check-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'pid');
    const problem = await asked(
      ['sh', '-c', `sh -c 'trap "" TERM; echo $$ > ${file}; while :; do sleep 0.1; done' & wait`],
      timeoutMs,
      most,
    );
    expect(problem).toContain('did not end within 0.2 s');
    const pid = Number(readFileSync(file, 'utf8'));
    await eventually(() => !isAlive(pid), { what: 'the end of what it started', deadlineMs: 5_000 });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
