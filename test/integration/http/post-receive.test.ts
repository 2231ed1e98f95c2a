import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startFakeController } from '../../support/fake-controller.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** The script in the documentation, taken from there: what people paste is what is tested. */
async function documentedHook(): Promise<string> {
  const text = await readFile(new URL('../../../docs/webhooks.md', import.meta.url), 'utf8');
  const script = /```sh\n(#!\/bin\/sh\n[\s\S]+?)```/.exec(text)?.[1];
  if (script === undefined) throw new Error('docs/webhooks.md has no script');
  return script;
}

async function runHook(
  secret: string,
): Promise<{ code: number | null; stderr: string; asked: readonly string[] }> {
  const { controller, url } = await startFakeController();
  closers.push(() => controller.server.close());
  const folder = await mkdtemp(join(tmpdir(), 'varve-hook-'));
  closers.push(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'hooks'));
  await writeFile(join(folder, 'hooks', 'varve-secret'), `${secret}\n`);
  await writeFile(join(folder, 'hooks', 'post-receive'), await documentedHook(), { mode: 0o755 });
  const child = spawn(join(folder, 'hooks', 'post-receive'), [], {
    cwd: folder,
    env: { PATH: process.env['PATH'], VARVE_WEBHOOK: `${url}/webhooks/generic/default` },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end(`${'1'.repeat(40)} ${'2'.repeat(40)} refs/heads/main\n`);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stderr, asked: controller.backend.asked };
}

test('the documented post-receive script makes Varve look', async () => {
  const { code, stderr, asked } = await runHook('new secret');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(asked).toEqual(['sync webhook by webhook:default']);
});

test('with a wrong secret it does not refuse the push, and says that Varve was not told', async () => {
  const { code, stderr, asked } = await runHook('guessed');
  expect(code).toBe(0);
  expect(stderr).toContain('varve was not told');
  expect(asked).toEqual([]);
});
