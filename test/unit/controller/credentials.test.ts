import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCredentialProvider } from '../../../controller/credentials.ts';
import { createRedactor } from '../../../shared/platform/redact.ts';

describe('the credential of a remote', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-credential-'));
    file = join(folder, 'token');
  });
  afterEach(() => rm(folder, { recursive: true }));

  function provider(passwordFile: string | undefined) {
    const redact = createRedactor(['first-token']);
    const warn = vi.fn<(fields: object, message: string) => void>();
    const credential = createCredentialProvider(
      { credentials: { username: 'varve', password: 'first-token', passwordFile } },
      { redact, logger: { warn } },
    );
    return { credential, redact, warn };
  }

  it('is what its file says now, and the new token is kept out of every text as the old one is', async () => {
    const { credential, redact } = provider(file);
    await writeFile(file, 'first-token\n');
    expect(await credential()).toEqual({ username: 'varve', password: 'first-token' });
    await writeFile(file, 'second-token\n');
    expect(await credential()).toEqual({ username: 'varve', password: 'second-token' });
    expect(redact('first-token, then second-token')).toBe('[redacted], then [redacted]');
  });

  it('stays what it was while its file is gone or empty, with a warning', async () => {
    const { credential, warn } = provider(file);
    expect(await credential()).toEqual({ username: 'varve', password: 'first-token' });
    await writeFile(file, '\n');
    expect(await credential()).toEqual({ username: 'varve', password: 'first-token' });
    expect(warn).toHaveBeenCalledTimes(2);
  });

  it('stays what the environment said at the start', async () => {
    const { credential, warn } = provider(undefined);
    expect(await credential()).toEqual({ username: 'varve', password: 'first-token' });
    expect(warn).not.toHaveBeenCalled();
  });

  it('is nothing where none is configured', async () => {
    const { redact } = provider(undefined);
    const none = createCredentialProvider({ credentials: undefined }, { redact, logger: { warn: () => {} } });
    expect(await none()).toBeUndefined();
  });
});
