import { failureOf } from '../../shared/domain/errors.ts';
import type { HostName, Revision, Tree } from '../../shared/domain/names.ts';
import type { TestingBranch } from '../../shared/domain/testing.ts';
import type { Logger } from '../../shared/platform/logger.ts';
import type { Look, Manifest } from '../../shared/platform/ports/source.ts';
import type { Mirror } from './mirror.ts';
import type { Remote } from './remote.ts';

type Seen = Extract<Look, { readonly kind: 'seen' }>;

/** Reads the testing branches of one listing. */
export interface TestingReader {
  /** `testing: undefined`: they could not be had this time. */
  read(
    listed: ReadonlyMap<HostName, Revision>,
    tracked: Revision,
    signal: AbortSignal | undefined,
  ): Promise<Pick<Seen, 'testing' | 'unread'>>;
}

export interface TestingReaderDeps {
  readonly mirror: Pick<Mirror, 'pinned' | 'pin' | 'holds' | 'descends' | 'commit'>;
  readonly remote: Pick<Remote, 'fetchTesting'>;
  readonly logger: Logger;
  readonly manifest: (tree: Tree) => Promise<Manifest>;
  /** Milliseconds; default: `usualPatience`. */
  readonly patience?: typeof usualPatience;
}

/** Why branches did not come. `isLate`: they took longer than one look can wait. */
interface Missed {
  readonly thrown: unknown;
  readonly isLate: boolean;
}

/**
 * How long one fetch of testing branches may take, and all of one look: the tracked ref waits for it. What cannot be had in
 * that time is left out for a while.
 */
const usualPatience = { fetchMs: 20_000, lookMs: 60_000, asideMs: 600_000 };

/** Nothing about testing branches keeps the fleet from its tracked ref: what goes wrong here is for the next look. */
export function createTestingReader(deps: TestingReaderDeps): TestingReader {
  const { mirror, patience = usualPatience } = deps;
  /** One branch against one tracked revision is always the same. */
  let known = new Map<string, TestingBranch>();
  /** Branches that could not be had, and until when that is not tried again, by `performance.now()`. */
  const aside = new Map<string, number>();

  async function ignored(revision: Revision, tree: Tree, tracked: Revision): Promise<string | undefined> {
    if (revision === tracked) return 'the tracked ref holds it';
    if ((await mirror.descends(revision, tracked)) !== 'yes') return 'it is not on top of the tracked ref';
    const manifest = await deps.manifest(tree);
    return manifest.kind === 'invalid' ? manifest.failure.message : undefined;
  }

  async function branch(host: HostName, revision: Revision, tracked: Revision): Promise<TestingBranch> {
    const { tree, author, subject } = await mirror.commit(revision);
    return { host, revision, tree, author, subject, ignored: await ignored(revision, tree, tracked) };
  }

  /** @throws only what the signal does */
  async function fetch(
    hosts: readonly HostName[],
    signal: AbortSignal | undefined,
  ): Promise<Missed | undefined> {
    const late = AbortSignal.timeout(patience.fetchMs);
    try {
      await deps.remote.fetchTesting(hosts, signal === undefined ? late : AbortSignal.any([signal, late]));
      return undefined;
    } catch (thrown) {
      if (signal?.aborted) throw thrown;
      return { thrown, isLate: late.aborted };
    }
  }

  /** Gives the hosts whose branches cannot be had for now: one of them keeps no other from its test. */
  async function bring(
    listed: ReadonlyMap<HostName, Revision>,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<HostName>> {
    const until = performance.now() + patience.lookMs;
    const missing: HostName[] = [];
    const lacking = new Set<HostName>();
    for (const [host, revision] of listed) {
      if (await mirror.pinned(revision)) continue;
      if ((aside.get(`${host} ${revision}`) ?? 0) > performance.now()) lacking.add(host);
      else missing.push(host);
    }
    const together = missing.length === 0 ? undefined : await fetch(missing, signal);
    if (together === undefined) return lacking;
    const [first] = missing;
    const alone = missing.length === 1 && first !== undefined;
    const missed = alone ? new Map([[first, together]]) : await fetchEach(missing, until, signal);
    for (const [host, how] of missed) {
      lacking.add(host);
      if (how === undefined) continue;
      const key = `${host} ${listed.get(host)}`;
      // The first time it may have been the way there.
      const rests = how.isLate || aside.has(key);
      aside.set(key, rests ? performance.now() + patience.asideMs : 0);
      deps.logger.warn({ err: how.thrown, host, rests }, 'a testing branch could not be fetched');
    }
    return lacking;
  }

  /** Whose branch did not come, and why; `undefined`: there was no time left to ask for it. */
  async function fetchEach(
    hosts: readonly HostName[],
    until: number,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<HostName, Missed | undefined>> {
    const missed = new Map<HostName, Missed | undefined>();
    for (const host of hosts) {
      const inTime = performance.now() < until;
      const how = inTime ? await fetch([host], signal) : undefined;
      if (!inTime || how !== undefined) missed.set(host, how);
    }
    return missed;
  }

  return {
    async read(listed, tracked, signal) {
      const name = (host: HostName, revision: Revision): string => `${host} ${revision} ${tracked}`;
      try {
        const fresh = new Map([...listed].filter(([host, revision]) => !known.has(name(host, revision))));
        const lacking = await bring(fresh, signal);
        const next = new Map<string, TestingBranch>();
        for (const [host, revision] of listed) {
          if (lacking.has(host)) continue;
          const key = name(host, revision);
          const before = known.get(key);
          // A branch that moved since it was listed is read by the next look.
          if (before === undefined && !(await mirror.holds(revision))) return { testing: undefined };
          if (before === undefined) await mirror.pin(revision);
          next.set(key, before ?? (await branch(host, revision, tracked)));
        }
        known = next;
        for (const key of aside.keys()) if (!isListed(key, listed)) aside.delete(key);
        const testing = [...next.values()].toSorted((a, b) => (a.host < b.host ? -1 : 1));
        return lacking.size === 0 ? { testing } : { testing, unread: [...lacking] };
      } catch (thrown) {
        deps.logger.warn({ err: thrown, failure: failureOf(thrown) }, 'testing branches not read');
        return { testing: undefined };
      }
    },
  };
}

function isListed(key: string, listed: ReadonlyMap<HostName, Revision>): boolean {
  return [...listed].some(([host, revision]) => key === `${host} ${revision}`);
}
