import { FleetError } from '../../shared/domain/errors.ts';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import type { RunResult } from '../../shared/platform/exec.ts';
import { openAccess, type GitAccess } from '../git-access.ts';

/** Where the ledger is pushed to. */
export interface LedgerRemote {
  readonly url: string;
  /** What Git needs to get in, never part of the URL. Asked for at each call. */
  readonly access?: () => Promise<GitAccess>;
  /** For one fetch or push, in milliseconds; defaults to a minute. */
  readonly deadlineMs?: number;
}

export type Pushed = { readonly kind: 'pushed' } | { readonly kind: 'conflict' };

export interface RemoteLedger {
  /** Fetches, and says where the remote's ledger stands. @throws FleetError STORE_UNAVAILABLE */
  fetch(): Promise<string | undefined>;
  /**
   * Moves the remote's ledger from `from` to `to`, if it still is at `from`.
   * @throws FleetError STORE_UNAVAILABLE when it did not, and nobody else moved it either
   */
  push(from: string | undefined, to: string): Promise<Pushed>;
}

/** What was fetched last. Outside of `refs/varve/ledger`, which only ever is what this controller knows to be there. */
const fetched = 'refs/varve-remote/ledger';

export function createRemoteLedger(
  deps: { readonly git: GitProgram; readonly dir: string },
  ref: string,
  remote: LedgerRemote,
): RemoteLedger {
  const { git, dir } = deps;
  async function call(args: readonly string[]): Promise<RunResult> {
    const { settings, env } = (await remote.access?.()) ?? openAccess;
    return git.run([...settings.flatMap((setting) => ['-c', setting]), ...args], {
      cwd: dir,
      deadlineMs: remote.deadlineMs ?? 60_000,
      env,
    });
  }

  /** Where the remote's ledger stands. */
  async function look(): Promise<string | undefined> {
    const listed = await call(['ls-remote', '--end-of-options', remote.url, ref]);
    if (listed.code !== 0) throw unreachable('read', listed);
    const line = listed.stdout.toString('utf8').split('\n')[0] ?? '';
    return line === '' ? undefined : line.split('\t')[0];
  }

  return {
    async fetch() {
      // With a pattern, a remote that has no ledger yet is no error; with --prune, what was there before is forgotten.
      const result = await call([
        'fetch',
        '--quiet',
        '--prune',
        '--no-tags',
        '--no-write-fetch-head',
        '--end-of-options',
        remote.url,
        `+${ref}*:${fetched}*`,
      ]);
      if (result.code !== 0) throw unreachable('fetched', result);
      const at = await git.run(['rev-parse', '--verify', '--quiet', `${fetched}^{commit}`], { cwd: dir });
      return at.code === 0 ? at.stdout.toString('utf8').trim() : undefined;
    },

    async push(from, to) {
      const result = await call([
        'push',
        '--quiet',
        '--no-verify',
        '--end-of-options',
        remote.url,
        `${to}:${ref}`,
      ]);
      if (result.code === 0) return { kind: 'pushed' };
      // Git says in many ways, partly in the server's words, why a push failed. What the remote holds now is the answer
      // that counts, also when the push went through and only its acknowledgement was lost.
      const now = await look();
      if (now === to) return { kind: 'pushed' };
      if (now !== from) return { kind: 'conflict' };
      throw unreachable('pushed to', result);
    },
  };
}

function unreachable(what: string, result: RunResult): FleetError {
  return new FleetError({
    code: 'STORE_UNAVAILABLE',
    disposition: 'transient',
    message: `the ledger remote cannot be ${what}: ${lastLines(result.stderrTail)}`,
    hint: 'see that the ledger remote is up, and that its credentials may read and push refs/varve/ledger',
  });
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' · ').slice(-500);
}
