import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { FleetError } from '../../shared/domain/errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { wrongConfiguration } from './supervisor.ts';

/**
 * `varve controller`, `varve worker`: the program in the foreground, with our terminal, until it ends. Signals are
 * passed on, and its exit code is ours (a wrong configuration is an error of usage).
 */
export async function runProgram(
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const [program, ...args] = argv;
  const child = spawn(program, args, { stdio: 'inherit', env: { ...env } });
  const passOn = (signal: NodeJS.Signals): void => {
    // A terminal has sent Ctrl-C to the whole group already: twice could mean "at once".
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(
          new FleetError({
            code: 'PROGRAM_MISSING',
            disposition: 'stalled',
            message: `${program} cannot be started`,
            cause,
          }),
        ),
      );
      child.once('exit', (code, signal) => resolve(exitCodeFor(code, signal)));
    });
  } finally {
    for (const signal of signals) process.off(signal, passOn);
  }
}

function exitCodeFor(code: number | null, signal: NodeJS.Signals | null): number {
  if (signal !== null) return 128 + constants.signals[signal];
  return code === wrongConfiguration ? exitCodes.usage : (code ?? exitCodes.failed);
}
