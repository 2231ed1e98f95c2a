import { mkdir, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GitProgram } from '../../shared/platform/git-program.ts';

/**
 * Git refuses to read a repository that belongs to somebody else, and only a configuration file of the user can allow
 * it. The service may run as root on a repository of a person's: this very repository, which the service's own
 * configuration names, and no other is allowed.
 *
 * @returns the environment for commands that read or write it
 */
export async function trustFolder(
  git: GitProgram,
  address: string,
  configFile: string,
): Promise<Record<string, string>> {
  const path = address.startsWith('file:') ? fileURLToPath(address) : address;
  const real = await realpath(path).catch(() => path);
  await mkdir(dirname(configFile), { recursive: true, mode: 0o700 });
  const names = [path, real].flatMap((name) => [name, `${name}/.git`, `${name}.git`]);
  for (const name of new Set(names)) {
    await git.ok([
      'config',
      '--file',
      configFile,
      '--replace-all',
      'safe.directory',
      name,
      `^${quoted(name)}$`,
    ]);
  }
  return { GIT_CONFIG_GLOBAL: configFile };
}

/** Matches the text itself, as an extended regular expression. */
function quoted(text: string): string {
  return text.replaceAll(/[.^$*+?()[\]{}|\\]/g, String.raw`\$&`);
}
