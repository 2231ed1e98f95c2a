import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';

import { FleetError } from '../../shared/domain/errors.ts';
import { baseEnvironment } from '../../shared/platform/exec.ts';
import { howToGet } from '../../shared/platform/program-hints.ts';

export interface FolderLock {
  /** False from the moment at which the lock was lost. */
  held(): boolean;
  release(): Promise<void>;
}

/**
 * Takes the lock of a data folder, which only one process can have. It ends with this process, however that ends: a
 * child holds it (`flock`), and that child lives as long as the pipe that only this process has the other end of.
 * A lock file or a socket would have to be judged stale or not after a crash; this one never is.
 * @throws FleetError LEDGER_CONFLICT when another process has it and does not let go within `waitMs`
 */
export async function takeFolderLock(dir: string, waitMs: number): Promise<FolderLock> {
  // Addresses, failures and who did what: for this user only, wherever the data folder is.
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'controller.lock');
  // `cat` answers with the first line only when it runs, which is when the lock is held.
  const holder = spawn('flock', ['-w', String(waitMs / 1_000), file, 'cat'], {
    env: baseEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
    // Not in our process group: an interrupt from the terminal must not open the lock before we have ended.
    detached: true,
  });
  let held = false;
  const gone = new Promise<void>((resolve) => {
    holder.once('close', () => {
      held = false;
      resolve();
    });
  });
  holder.stdin.on('error', () => {});
  holder.stdin.write('held\n');
  await new Promise<void>((resolve, reject) => {
    holder.once('error', (thrown) => reject(missing(thrown)));
    holder.once('close', () => reject(taken(dir)));
    holder.stdout.once('data', () => {
      held = true;
      resolve();
    });
  });
  // Neither the child nor the pipes to it keep this process alive.
  holder.unref();
  holder.stdout.destroy();
  if (holder.stdin instanceof Socket) holder.stdin.unref();
  return {
    held: () => held,
    async release() {
      holder.ref();
      holder.stdin.end();
      await gone;
    },
  };
}

function taken(dir: string): FleetError {
  return new FleetError({
    code: 'LEDGER_CONFLICT',
    disposition: 'stalled',
    message: `another controller uses the ledger in ${dir}`,
    hint: 'stop the other one; to run several controllers, give each a data folder and all the same ledger remote',
    details: { dir },
  });
}

function missing(cause: unknown): FleetError {
  return new FleetError({
    code: 'PROGRAM_MISSING',
    disposition: 'stalled',
    message: 'the program flock is not on PATH',
    hint: howToGet('flock'),
    details: { program: 'flock' },
    cause,
  });
}
