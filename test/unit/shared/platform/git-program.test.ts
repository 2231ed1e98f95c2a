import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createRun } from '../../../../shared/platform/exec.ts';
import { createGitProgram } from '../../../../shared/platform/git-program.ts';

const git = createGitProgram({ run: createRun() });
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-git-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the git command', () => {
  it('gives its output without the line end', async () => {
    await git.ok(['init', '--bare', '--quiet', folder]);
    expect(await git.ok(['rev-parse', '--git-dir'], { cwd: folder })).toBe('.');
  });

  it('fails with what git said', async () => {
    await expect(git.ok(['-c', 'a.b=c', 'rev-parse', 'HEAD'], { cwd: folder })).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringMatching(/^git rev-parse failed \(exit status 128\): .*not a git repository/),
    });
  });

  it('sees no configuration but its own', async () => {
    const listed = await git.ok(['config', '--list', '--show-scope'], { cwd: folder });
    expect(listed.split('\n').every((line) => line.startsWith('command\t'))).toBe(true);
    expect(listed).toContain('core.hookspath=/dev/null');
  });

  it('never asks for a password', async () => {
    const result = await git.run(['credential', 'fill'], {
      input: 'protocol=https\nhost=localhost\n\n',
      deadlineMs: 10_000,
    });
    expect(result.code).not.toBe(0);
    expect(result.stderrTail).toContain('terminal prompts disabled');
  });
});
