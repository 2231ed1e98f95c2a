import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { FleetError } from '../../shared/domain/errors.ts';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import type { RunResult } from '../../shared/platform/exec.ts';
import { importStream, type NewCommit } from './commit.ts';

/** The small bare repository on this machine. */
export interface LedgerRepository {
  /** Makes it if it is not there, and clears away what a crash left. Only for the one who has the folder's lock. */
  prepare(): Promise<void>;
  /** Where a ref stands. */
  resolve(ref: string): Promise<string | undefined>;
  /** Is `older` the same as `newer`, or before it? */
  contains(newer: string, older: string): Promise<boolean>;
  /** Sets a ref, if it still is at `from`. @throws FleetError INTERNAL */
  move(ref: string, from: string | undefined, to: string): Promise<void>;
  /** Writes a commit, durably, and returns its id; `undefined` when the ref is not at the commit's parent. */
  commit(commit: NewCommit, how: 'checked' | 'forced'): Promise<string | undefined>;
  /** Packs what is loose or in many small packs, when there is much of it. */
  tidy(signal: AbortSignal): Promise<void>;
}

/** What counts as written must be on the disk: objects, packs and refs. */
const durably = [
  'core.fsync=committed,reference',
  'core.fsyncMethod=fsync',
  // Packing takes the lock of a ref for a moment while an append may want it.
  'core.filesRefLockTimeout=5000',
].flatMap((setting) => ['-c', setting]);

/** About a thousand commits: each makes a file, four folders and itself. */
const manyLooseObjects = 6_000;
const manyPacks = 40;
/**
 * What is new is joined with packs that are not much larger, so that the work goes with what is new and seldom with the
 * whole history. By one thread: passes go on meanwhile.
 */
const packing = ['-c', 'pack.threads=1', 'repack', '--geometric=2', '-d', '--quiet'];
/** What a Git that is still at work would have touched since. */
const abandonedAfterMs = 3_600_000;
/** How long a lock file of Git's may still belong to a process that is about to end. */
const lockPatienceMs = 2_000;

export function createLedgerRepository(deps: {
  readonly git: GitProgram;
  readonly dir: string;
}): LedgerRepository {
  const { git, dir } = deps;

  const resolve: LedgerRepository['resolve'] = async (ref) => {
    const result = await git.run(
      ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`],
      {
        cwd: dir,
      },
    );
    return result.code === 0 ? result.stdout.toString('utf8').trim() : undefined;
  };

  return {
    resolve,

    async prepare() {
      await git.ok([
        ...durably,
        'init',
        '--quiet',
        '--bare',
        '--object-format=sha1',
        '--end-of-options',
        dir,
      ]);
      await clearAway(dir);
    },

    async contains(newer, older) {
      const result = await git.run(['merge-base', '--is-ancestor', older, newer], { cwd: dir });
      return result.code === 0;
    },

    async move(ref, from, to) {
      await git.ok([...durably, 'update-ref', '--end-of-options', ref, to, from ?? ''], { cwd: dir });
      await syncFolderOf(dir, ref);
    },

    async commit(commit, how) {
      const args = [...durably, 'fast-import', '--quiet', '--done', ...(how === 'forced' ? ['--force'] : [])];
      const result = await git.run(args, { cwd: dir, input: importStream(commit) });
      if (result.code === 0) {
        await syncFolderOf(dir, commit.ref);
        return result.stdout.toString('utf8').trim();
      }
      if ((await resolve(commit.ref)) !== commit.parent) return undefined;
      throw notWritten(result);
    },

    async tidy(signal) {
      const counted = await git.ok(['count-objects', '-v'], { cwd: dir, signal });
      const count = (name: string): number =>
        Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(counted)?.[1] ?? 0);
      if (count('count') < manyLooseObjects && count('packs') < manyPacks) return;
      await git.ok([...durably, ...packing], { cwd: dir, signal, deadlineMs: 900_000 });
    },
  };
}

/** Git syncs the files that it writes, but not the folder in which a ref was renamed to its name. */
async function syncFolderOf(dir: string, ref: string): Promise<void> {
  const folder = await open(join(dir, ref, '..'), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Lock files that a killed Git left would block every later one. They are given time first: a Git whose controller
 * was killed is at its end soon, since its input has ended.
 */
async function clearAway(dir: string): Promise<void> {
  const deadline = performance.now() + lockPatienceMs;
  let left = await lockFiles(dir);
  while (left.length > 0 && performance.now() < deadline) {
    await pause(50);
    left = await lockFiles(dir);
  }
  for (const file of left) await rm(file, { force: true });
  for (const name of await readdir(dir)) {
    if (name.startsWith('fast_import_crash_')) await rm(join(dir, name), { force: true });
  }
  const packs = join(dir, 'objects/pack');
  for (const name of await readdir(packs)) {
    if (!/^\.?tmp[-_]/.test(name)) continue;
    const file = join(packs, name);
    const touched = await stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    );
    if (Date.now() - touched > abandonedAfterMs) await rm(file, { force: true });
  }
}

async function lockFiles(dir: string): Promise<readonly string[]> {
  const candidates = [
    'HEAD.lock',
    'config.lock',
    'packed-refs.lock',
    'gc.pid.lock',
    'refs/varve/ledger.lock',
  ];
  candidates.push('refs/varve/next.lock', 'refs/varve-remote/ledger.lock');
  const found: string[] = [];
  for (const name of candidates) {
    const file = join(dir, name);
    if (await stat(file).then(Boolean, () => false)) found.push(file);
  }
  return found;
}

function notWritten(result: RunResult): FleetError {
  const said = result.stderrTail.trim().slice(-500);
  const full = /no space left|disk quota exceeded/i.test(said);
  return new FleetError({
    code: full ? 'DISK_FULL' : 'INTERNAL',
    disposition: 'transient',
    message: full ? 'no space is left for the ledger' : `the ledger could not be written: ${said}`,
    ...(full ? { hint: "make room on the file system of the controller's data folder" } : {}),
  });
}
