import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRun } from '../../../shared/platform/exec.ts';
import { varve } from '../../support/cli-process.ts';
import { type FakeController, startFakeController } from '../../support/fake-controller.ts';
import { withGates } from '../../support/fake-fleet.ts';

const run = createRun();

let controller: FakeController;
let url: string;
beforeEach(async () => {
  ({ controller, url } = await startFakeController());
});
afterEach(() => controller.server.close());

test('completion knows commands, options and hosts', async () => {
  const complete = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await varve(['complete', '--', ...words], { url })).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t')[0]!);
  expect(await complete('st')).toEqual(['status']);
  expect(await complete('why', 'w')).toEqual(['web1', 'web2']);
  expect(await complete('sync', '--w')).toEqual(['--wait']);
  expect(await complete('host', '')).toEqual(['scan-key', 'help']);
  expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  // The value of an option is no argument, and is completed where it is one of a few.
  expect(await complete('hold', '-r', 'because', 'w')).toEqual(['web1', 'web2']);
  expect(await complete('--url', url, 'why', '-o', 'json', 'w')).toEqual(['web1', 'web2']);
  expect(await complete('adopt', '--takeover', 'w')).toEqual(['web1', 'web2']);
  expect(await complete('status', '-o', '')).toEqual(['text', 'json']);
  expect(await complete('host', 'scan-key', '-p', '22', 'd')).toEqual(['db1']);
  controller.backend.state = withGates;
  expect(await complete('hold', '')).toEqual(['web1', 'web2', 'db1', 'routers', 'fleet']);
  expect(await complete('approve', '')).toEqual(['all', 'routers']);
});

test('the completion for bash completes in a real bash', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-completion-'));
  const main = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
  const command = `#!/bin/sh\nexec ${process.execPath} --import tsx ${main} "$@"\n`;
  await writeFile(join(folder, 'varve'), command, { mode: 0o755 });
  const complete = async (...words: readonly string[]): Promise<string> => {
    const script = [
      'source <(varve completion bash)',
      'complete -p varve > /dev/null || exit 1',
      'COMP_WORDS=(varve "$@"); COMP_CWORD=$#',
      '_varve',
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n');
    const { stdout } = await run(['bash', '--norc', '-c', script, 'bash', ...words], {
      env: { PATH: `${folder}:${process.env['PATH']}`, VARVE_URL: url },
      deadlineMs: 30_000,
    });
    return stdout.toString('utf8');
  };
  try {
    expect(await complete('stat')).toBe('status\n');
    expect(await complete('why', 'web')).toBe('web1\nweb2\n');
    expect(await complete('wait', '--re')).toBe('--revision\n');
  } finally {
    await rm(folder, { recursive: true });
  }
});
