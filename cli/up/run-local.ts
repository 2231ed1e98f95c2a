import { createRun } from '../../shared/platform/exec.ts';
import type { RunLocal } from '../local-program.ts';

/** Programs of this machine, as every part of Varve runs them: bounded, in a group of their own. */
export function createRunLocal(signal: AbortSignal): RunLocal {
  const run = createRun();
  return async (argv, deadlineMs) => {
    const result = await run(argv, { deadlineMs, signal, maxOutputBytes: 1024 * 1024 });
    return { code: result.code, stdout: result.stdout.toString('utf8'), stderr: result.stderrTail };
  };
}
