import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runKeygen } from '../../../cli/commands/keygen.ts';
import { createTerminal } from '../../../cli/terminal.ts';
import { parseSigningKey, publicKeyOf } from '../../../shared/platform/signing-key.ts';

let folder: string;
let out: string;
let [stdout, stderr] = ['', ''];
const terminal = createTerminal({
  stdout: { write: (text: string) => (stdout += text) },
  stderr: { write: (text: string) => (stderr += text) },
  env: {},
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-keygen-'));
  out = join(folder, 'key');
  [stdout, stderr] = ['', ''];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keygen = (name: string, output: 'text' | 'json' = 'text') =>
  runKeygen({ terminal, output }, name, { out });

test('a new key is in a file for its owner only, and what hosts need is printed', async () => {
  expect(await keygen('fleet.example.org-1')).toBe(0);
  expect((await stat(out)).mode & 0o777).toBe(0o600);
  const secret = await readFile(out, 'utf8');
  const publicKey = publicKeyOf(parseSigningKey(secret));
  expect(stdout).toBe(`${publicKey}\n`);
  expect(stderr).toContain(`nix.settings.trusted-public-keys = [ "${publicKey}" ];`);
  expect(stderr).toContain(`worker: { push: { signingKey: "${out}" } }`);
  expect(stdout + stderr).not.toContain(secret.trim().split(':')[1]);
});

test('for programs it is one JSON value, without the secret', async () => {
  await keygen('a-1', 'json');
  const publicKey = publicKeyOf(parseSigningKey(await readFile(out, 'utf8')));
  expect(JSON.parse(stdout)).toEqual({ name: 'a-1', file: out, publicKey });
  expect(stderr).toBe('');
});

test('a file that is there is left as it is', async () => {
  await writeFile(out, 'precious');
  await expect(keygen('a-1')).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining(out) as string,
    hint: expect.stringContaining('--out') as string,
  });
  expect(await readFile(out, 'utf8')).toBe('precious');
  expect(stdout).toBe('');
});

test('a folder that is not there is said, and no name is taken that Nix would not take', async () => {
  out = join(folder, 'nowhere', 'key');
  await expect(keygen('a-1')).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: `${out} cannot be written: its folder is not there`,
  });
  out = join(folder, 'key');
  await expect(keygen('two words')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(stat(out)).rejects.toThrow('ENOENT');
});
