import { FleetError } from '../domain/errors.ts';
import { baseEnvironment, type Run, type RunResult } from './exec.ts';

export interface GitOptions {
  readonly cwd?: string;
  readonly input?: Uint8Array | string;
  readonly signal?: AbortSignal;
  /** Defaults to two minutes. */
  readonly deadlineMs?: number;
  /** In addition to what every call gets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly maxOutputBytes?: number;
  /** Takes standard output as it comes; none of it is kept then. */
  readonly onOutput?: (chunk: Buffer) => void;
}

/** The `git` command, cut off from the user's and the system's configuration, hooks and prompts. */
export interface GitProgram {
  /** Resolves for every exit status. @throws FleetError PROGRAM_MISSING, TIMED_OUT, CANCELLED */
  run(args: readonly string[], options?: GitOptions): Promise<RunResult>;
  /** Standard output without white space around it. @throws FleetError INTERNAL unless the exit status is 0 */
  ok(args: readonly string[], options?: GitOptions): Promise<string>;
}

const usualDeadlineMs = 120_000;

/** Arguments before the subcommand; later ones win, so a caller may override them with `-c` of its own. */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'credential.helper=',
  'gc.auto=0',
  'maintenance.auto=false',
  'protocol.ext.allow=never',
].flatMap((setting) => ['-c', setting]);

export function createGitProgram(deps: { readonly run: Run }): GitProgram {
  const run: GitProgram['run'] = (args, options = {}) => {
    const { env, deadlineMs, ...rest } = options;
    return deps.run(['git', ...settings, ...args], {
      ...rest,
      deadlineMs: deadlineMs ?? usualDeadlineMs,
      env: { ...gitEnvironment(), ...env },
    });
  };
  return {
    run,
    async ok(args, options) {
      const result = await run(args, options);
      if (result.code !== 0) throw gitFailed(args, result);
      return result.stdout.toString('utf8').trim();
    },
  };
}

function gitEnvironment(): Record<string, string> {
  return {
    ...baseEnvironment(),
    LC_ALL: 'C',
    // No home: nothing of the user's may change what a command does.
    HOME: '/nonexistent',
    XDG_CONFIG_HOME: '/nonexistent',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_PAGER: 'cat',
  };
}

/** The first argument that names a subcommand, for messages. */
function subcommand(args: readonly string[]): string {
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '-c' || arg === '-C' || arg === '--git-dir') at += 1;
    else if (!arg.startsWith('-')) return arg;
  }
  return '';
}

function gitFailed(args: readonly string[], result: RunResult): FleetError {
  const status = result.code === undefined ? `signal ${result.signal}` : `exit status ${result.code}`;
  const tail = result.stderrTail.trim().slice(-2_000);
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `git ${subcommand(args)} failed (${status})${tail === '' ? '' : `: ${tail}`}`,
    details: { program: 'git', status: String(result.code ?? result.signal) },
  });
}
