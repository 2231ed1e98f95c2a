import { readFile } from 'node:fs/promises';
import type { RemoteAccess } from '../shared/contracts/service-config.ts';
import type { Logger } from '../shared/platform/logger.ts';
import type { Redactor } from '../shared/platform/redact.ts';
import type { CredentialProvider } from './source/remote.ts';

/**
 * The credential of a remote as it is now: its file is read anew at each call, so that a token which was replaced is
 * taken up without a restart. While the file cannot be read (it may be about to be replaced), the last value is kept.
 */
export function createCredentialProvider(
  { credentials }: Pick<RemoteAccess, 'credentials'>,
  deps: { readonly redact: Redactor; readonly logger: Pick<Logger, 'warn'> },
): CredentialProvider {
  if (credentials === undefined) return async () => undefined;
  const { username, passwordFile } = credentials;
  let { password } = credentials;
  return async () => {
    if (passwordFile !== undefined) password = (await read(passwordFile)) ?? password;
    return { username, password };
  };

  async function read(file: string): Promise<string | undefined> {
    try {
      const now = (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
      if (now.trim() === '') throw new Error('it is empty');
      if (now !== password) deps.redact.learn(now);
      return now;
    } catch (err) {
      deps.logger.warn({ file, err }, 'credential not read anew');
      return undefined;
    }
  }
}
