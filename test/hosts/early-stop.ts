import { setTimeout as delay } from 'node:timers/promises';

import { ensureBaseImage } from './base-image.ts';
import { endCommands } from './command.ts';

/** How long what was interrupted may take to clean up after itself, in milliseconds. */
const CLEAN_UP = 5_000;

/**
 * Makes the base image if it is not there, which takes a minute: the one thing that is not waited for when the user wants
 * to stop. A lab is made in a second or two and must be whole before it can be removed. Gives false when it was stopped.
 */
export async function imageUnlessStopped(
  stopped: Promise<unknown>,
  log: (line: string) => void,
): Promise<boolean> {
  const making = ensureBaseImage(log);
  const first = await Promise.race([
    making.then(() => 'made' as const),
    stopped.then(() => 'stopped' as const),
  ]);
  if (first === 'made') return true;
  endCommands();
  await Promise.race([making.catch(() => {}), delay(CLEAN_UP, undefined, { ref: false })]);
  return false;
}
