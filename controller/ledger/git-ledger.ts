import { FleetError } from '../../shared/domain/errors.ts';
import { type Fact, factKey } from '../../shared/domain/facts.ts';
import type { GitProgram } from '../../shared/platform/git-program.ts';
import type { Logger } from '../../shared/platform/logger.ts';
import type { Clock } from '../../shared/platform/ports/clock.ts';
import type { Appended, Ledger } from '../../shared/platform/ports/ledger.ts';
import { damaged } from './codec.ts';
import { type Day, dayWith, type NewCommit, noCommit } from './commit.ts';
import { type FolderLock, takeFolderLock } from './folder-lock.ts';
import { type History, readHistory } from './history.ts';
import { createRemoteLedger, type LedgerRemote } from './ledger-remote.ts';
import { createLedgerRepository } from './repository.ts';

export interface GitLedgerDeps {
  readonly git: GitProgram;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface GitLedgerOptions {
  /** The bare repository; made if it is not there. One process at a time uses it. */
  readonly dir: string;
  /** Without it, one controller is all there can be. */
  readonly remote?: LedgerRemote;
  /** How long to wait for a controller that is ending; defaults to five seconds. */
  readonly lockWaitMs?: number;
}

export interface GitLedger extends Ledger {
  /** Lets go of the folder. Nothing can be appended afterwards. */
  close(): Promise<void>;
}

export const ledgerRef = 'refs/varve/ledger';
/** With a remote, a commit stands here until the remote has it: the ledger's own ref never has what may be refused. */
const nextRef = 'refs/varve/next';

/** Commits. */
const tidyEvery = 1_000;

const noHistory: History = { facts: [], commits: 0, lastDay: undefined };

/** What was loaded, and what an append is compared with. */
interface Loaded {
  head: string | undefined;
  commits: number;
  lastDay: Day | undefined;
  readonly keys: Set<string>;
}

/**
 * The ledger in Git. `load` must come first, and again after a conflict. Calls are carried out one after another.
 * @throws FleetError (from both) LEDGER_CONFLICT when another process has the folder, LEDGER_BROKEN,
 * STORE_UNAVAILABLE when the remote is not to be had: then nothing was appended
 */
export function createGitLedger(deps: GitLedgerDeps, options: GitLedgerOptions): GitLedger {
  const { git, clock, log } = deps;
  const { dir } = options;
  const repository = createLedgerRepository({ git, dir });
  const remote =
    options.remote === undefined ? undefined : createRemoteLedger({ git, dir }, ledgerRef, options.remote);
  const closing = new AbortController();
  let lock: FolderLock | undefined;
  let loaded: Loaded | undefined;
  let tidying: Promise<void> = Promise.resolve();
  /** How many commits were written since it was last looked at what there is to pack. */
  let untidy = 0;
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<Value>(act: () => Promise<Value>): Promise<Value> {
    const turn = last.then(act, act);
    // Not its value: a history that was loaded would be held until the next call.
    last = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }

  async function ensureLock(): Promise<void> {
    if (closing.signal.aborted) throw misuse('it is closed');
    if (lock?.held()) return;
    lock = await takeFolderLock(dir, options.lockWaitMs ?? 5_000);
  }

  async function load(): Promise<readonly Fact[]> {
    loaded = undefined;
    await ensureLock();
    await repository.prepare();
    const head = await agreedHead();
    const history = head === undefined ? noHistory : await readHistory(git, dir, head);
    const keys = new Set<string>();
    const facts = history.facts.filter((fact) => isNew(fact, keys));
    loaded = { head, commits: history.commits, lastDay: history.lastDay, keys };
    tidy();
    return facts;
  }

  /** In the background: nobody waits for it but `close`. */
  function tidy(): void {
    untidy = 0;
    tidying = tidying
      .then(() => repository.tidy(closing.signal))
      .catch((err: unknown) => {
        if (!closing.signal.aborted) log.warn({ err }, 'ledger not packed');
      });
  }

  /** Fetches, and brings this side or the other up to the one that knows more. */
  async function agreedHead(): Promise<string | undefined> {
    const here = await repository.resolve(ledgerRef);
    if (remote === undefined) return here;
    const there = await remote.fetch();
    if (here === there) return here;
    if (there !== undefined && (here === undefined || (await repository.contains(there, here)))) {
      await repository.move(ledgerRef, here, there);
      return there;
    }
    if (here !== undefined && (there === undefined || (await repository.contains(here, there)))) {
      // A remote that was added later, or put back from an old copy. What was acknowledged here is not given up.
      log.warn({ here, there }, 'ledger remote was behind');
      const pushed = await remote.push(there, here);
      if (pushed.kind === 'pushed') return here;
      return agreedHead();
    }
    throw diverged(here ?? noCommit, there ?? noCommit);
  }

  async function append(facts: readonly Fact[]): Promise<Appended> {
    if (loaded === undefined) throw misuse('it has to be loaded first');
    if (!lock?.held()) {
      loaded = undefined;
      throw lockLost(dir);
    }
    const keys = new Set<string>();
    const known = loaded.keys;
    const fresh = facts.filter((fact) => !known.has(factKey(fact)) && isNew(fact, keys));
    if (fresh.length === 0) return { kind: 'nothing-new', head: loaded.head ?? noCommit };
    const at = clock.now();
    const day = dayWith(loaded.lastDay, at);
    const n = loaded.commits + 1;
    const head = await write({ parent: loaded.head, n, at, ofDay: day.commits - 1, facts: fresh });
    if (head === undefined) {
      loaded = undefined;
      return { kind: 'conflict' };
    }
    loaded.head = head;
    loaded.commits = n;
    loaded.lastDay = day;
    for (const key of keys) known.add(key);
    untidy += 1;
    // A controller may lead for months.
    if (untidy >= tidyEvery) tidy();
    return { kind: 'appended', head };
  }

  /** The new head; `undefined` when someone else came first. */
  async function write(commit: Omit<NewCommit, 'ref'>): Promise<string | undefined> {
    const { parent } = commit;
    if (remote === undefined) return repository.commit({ ...commit, ref: ledgerRef }, 'checked');
    const id = await repository.commit({ ...commit, ref: nextRef }, 'forced');
    if (id === undefined) throw damaged(`commit ${parent ?? noCommit}`, 'nothing can be written after it');
    const pushed = await remote.push(parent, id);
    if (pushed.kind === 'conflict') return undefined;
    await repository.move(ledgerRef, parent, id);
    return id;
  }

  return {
    load: () => inTurn(load),
    append: (facts) => inTurn(() => append(facts)),
    close: () =>
      inTurn(async () => {
        closing.abort();
        loaded = undefined;
        await tidying;
        await lock?.release();
      }),
  };
}

function isNew(fact: Fact, keys: Set<string>): boolean {
  const key = factKey(fact);
  if (keys.has(key)) return false;
  keys.add(key);
  return true;
}

function misuse(what: string): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: `the ledger cannot be used: ${what}`,
  });
}

function lockLost(dir: string): FleetError {
  return new FleetError({
    code: 'LEDGER_CONFLICT',
    disposition: 'transient',
    message: `the lock on the ledger in ${dir} was lost: the process that held it ended`,
    hint: 'the ledger is loaded again, and its lock taken again, before anything is written',
    details: { dir },
  });
}

function diverged(here: string, there: string): FleetError {
  return new FleetError({
    code: 'LEDGER_BROKEN',
    disposition: 'stalled',
    message: `the ledger here (${here}) and at the ledger remote (${there}) have gone different ways`,
    hint:
      'either the remote is that of another Varve, or its history was rewritten. To go on with the ' +
      "remote's, move this data folder's ledger away; to go on with the one here, push it with force",
    details: { here, there },
  });
}
