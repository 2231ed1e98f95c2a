import { failureOf } from '../../shared/domain/errors.ts';
import type { HostName, Revision, Tree } from '../../shared/domain/names.ts';
import type { TestingBranch } from '../../shared/domain/testing.ts';
import type { Logger } from '../../shared/platform/logger.ts';
import type { Manifest } from '../../shared/platform/ports/source.ts';
import type { Mirror } from './mirror.ts';
import type { Remote } from './remote.ts';

/** Reads the testing branches of one listing. */
export interface TestingReader {
  /** `undefined`: they could not be had this time. */
  read(
    listed: ReadonlyMap<HostName, Revision>,
    tracked: Revision,
    signal: AbortSignal | undefined,
  ): Promise<readonly TestingBranch[] | undefined>;
}

/** Nothing about testing branches keeps the fleet from its tracked ref: what goes wrong here is for the next look. */
export function createTestingReader(deps: {
  readonly mirror: Mirror;
  readonly remote: Remote;
  readonly logger: Logger;
  readonly manifest: (tree: Tree) => Promise<Manifest>;
}): TestingReader {
  const { mirror } = deps;
  /** One branch against one tracked revision is always the same. */
  let known = new Map<string, TestingBranch>();

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

  async function bring(
    listed: ReadonlyMap<HostName, Revision>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const missing: HostName[] = [];
    for (const [host, revision] of listed) if (!(await mirror.pinned(revision))) missing.push(host);
    if (missing.length > 0) await deps.remote.fetchTesting(missing, signal);
  }

  return {
    async read(listed, tracked, signal) {
      const name = (host: HostName, revision: Revision): string => `${host} ${revision} ${tracked}`;
      try {
        const fresh = new Map([...listed].filter(([host, revision]) => !known.has(name(host, revision))));
        await bring(fresh, signal);
        const next = new Map<string, TestingBranch>();
        for (const [host, revision] of listed) {
          const key = name(host, revision);
          const before = known.get(key);
          // A branch that moved since it was listed is read by the next look.
          if (before === undefined && !(await mirror.holds(revision))) return undefined;
          if (before === undefined) await mirror.pin(revision);
          next.set(key, before ?? (await branch(host, revision, tracked)));
        }
        known = next;
        return [...next.values()].toSorted((a, b) => (a.host < b.host ? -1 : 1));
      } catch (thrown) {
        deps.logger.warn({ err: thrown, failure: failureOf(thrown) }, 'testing branches not read');
        return undefined;
      }
    },
  };
}
