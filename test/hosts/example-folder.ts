import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import { dropLock, takeLock } from './claim.ts';

const marker = 'ABOUT-THIS-FOLDER';
const markerText =
  'Made by `varve up` without a repository, for the example fleet: its repository, ledger and logs.\n' +
  'Its next start empties this folder.\n';

/**
 * Makes the folder of an example, empty and for this process alone. What an earlier example left there is removed; what
 * anybody else put there is not. Gives what lets go of it.
 * @throws FleetError CONFLICT
 */
export async function takeExampleFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(dirname(folder), { recursive: true });
  const lock = join(dirname(folder), `.${basename(folder)}.lock`);
  if (!(await takeLock(lock))) {
    throw new FleetError({
      code: 'CONFLICT',
      disposition: 'stalled',
      message: `another example runs in ${folder}`,
      hint: 'stop it, or start this one elsewhere: --data FOLDER --listen 127.0.0.1:7421',
    });
  }
  try {
    const entries = await readdir(folder).catch((): string[] => []);
    if (entries.length > 0 && !entries.includes(marker)) {
      throw new FleetError({
        code: 'CONFLICT',
        disposition: 'stalled',
        message: `${folder} is not empty, and not of an earlier example`,
        hint: 'choose a folder of its own: --data FOLDER',
      });
    }
    // The marker goes last and comes first: half an emptying is still an example's.
    for (const entry of entries.filter((it) => it !== marker)) {
      await rm(join(folder, entry), { recursive: true, force: true });
    }
    await mkdir(folder, { recursive: true });
    // Who started it with sudo works in the repository in there; what is secret has rights of its own.
    await chmod(folder, 0o711);
    await writeFile(join(folder, marker), markerText);
  } catch (thrown) {
    await dropLock(lock);
    throw thrown;
  }
  return () => dropLock(lock);
}
