import { FleetError } from '../../shared/domain/errors.ts';
import { type Run, baseEnvironment } from '../../shared/platform/exec.ts';

/** A program of the service configuration, which a repository can name and not define. */
export interface NamedCommand {
  readonly argv: readonly [string, ...string[]];
  /** However long a check would let it run. */
  readonly timeoutMs: number;
}

/** How much of what it said is told. */
const tailLength = 500;

/**
 * Runs a named command of this worker once, without a shell; it is killed with all that it started at its time-out.
 * @throws FleetError CANCELLED
 */
export async function askWorkerCommand(
  name: string,
  command: NamedCommand | undefined,
  options: {
    readonly run: Run;
    readonly environment: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  if (command === undefined) {
    return `no worker command is named ${name}: it belongs under worker.commands in the service configuration`;
  }
  let tail = '';
  const said = (): string => (tail === '' ? '' : `: ${tail.trim()}`);
  try {
    const { code, signal } = await options.run(command.argv, {
      env: { ...baseEnvironment(), ...options.environment },
      deadlineMs: Math.min(options.timeoutMs, command.timeoutMs),
      signal: options.signal,
      maxOutputBytes: 1,
      onLine: (line) => {
        tail = `${tail} ${line}`.slice(-tailLength);
      },
    });
    if (code === 0) return undefined;
    return `the worker command ${name} ended with ${code ?? signal ?? 'nothing'}${said()}`;
  } catch (thrown) {
    if (!(thrown instanceof FleetError) || thrown.code === 'CANCELLED') throw thrown;
    return `the worker command ${name}: ${thrown.message}${said()}`;
  }
}
