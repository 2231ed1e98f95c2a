import { spawn } from 'node:child_process';

import { FleetError } from '../../shared/domain/errors.ts';

/** What a command left behind. `code` is null if a signal ended it. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  /** Milliseconds until the command and all that it started is killed. Default: one minute. */
  readonly timeout?: number;
  /** Called with each line of output as it comes, for commands that take minutes. */
  readonly onLine?: (line: string) => void;
}

/** Process groups that run now: none may outlive this process. */
const runningGroups = new Set<number>();
process.once('exit', () => endCommands());

/** Kills every command that runs now, and all that they started; who waits for them sees them fail. */
export function endCommands(): void {
  for (const pid of runningGroups) killGroup(pid);
}

const OUTPUT_LIMIT = 8 * 1024 * 1024;

/** Runs a command to its end, whatever its exit status. Throws if it can't be started or takes too long. */
export function execute(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...args] = argv;
  if (program === undefined) throw new RangeError('an empty command');
  const timeout = options.timeout ?? 60_000;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env === undefined ? process.env : { ...options.env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid !== undefined) runningGroups.add(pid);
    const output = { stdout: '', stderr: '' };
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (pid !== undefined) killGroup(pid);
    }, timeout);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        if (output[name].length < OUTPUT_LIMIT) output[name] += text;
        if (options.onLine) for (const line of text.split('\n')) if (line.trim()) options.onLine(line.trim());
      });
    }
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(
        new FleetError({
          code: 'PROGRAM_MISSING',
          disposition: 'stalled',
          message: `${program} could not be started`,
          hint: `Install the package that has ${program}, and see that it is on PATH.`,
          cause,
        }),
      );
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (pid !== undefined) runningGroups.delete(pid);
      if (late) reject(failure('TIMED_OUT', argv, `took longer than ${timeout} ms`, output.stderr));
      else resolve({ code, ...output });
    });
    child.stdin.on('error', () => {
      // The command ended without reading all of its input; its exit status says why.
    });
    child.stdin.end(options.input ?? '');
  });
}

/** Runs a command that must succeed, and gives its standard output. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await execute(argv, options);
  if (result.code !== 0) throw failure('INTERNAL', argv, `ended with ${String(result.code)}`, result.stderr);
  return result.stdout;
}

function failure(
  code: 'INTERNAL' | 'TIMED_OUT',
  argv: readonly string[],
  what: string,
  stderr: string,
): FleetError {
  return new FleetError({
    code,
    disposition: 'transient',
    message: `${argv.join(' ').slice(0, 300)}: ${what}\n${stderr.slice(-2000)}`,
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
