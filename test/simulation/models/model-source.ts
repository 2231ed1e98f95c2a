import { FleetError, type Failure } from '../../../shared/domain/errors.ts';
import { plainFleet, plainHost } from '../../../shared/domain/fleet.ts';
import type { Fleet, HostSpec } from '../../../shared/domain/fleet.ts';
import type { HostName, Revision, Tree } from '../../../shared/domain/names.ts';
import type { TestingBranch } from '../../../shared/domain/testing.ts';
import type { Manifest, Source } from '../../../shared/platform/ports/source.ts';
import type { WorldPolicy } from '../policy.ts';
import type { Faults } from '../faults.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';
import { revisionOf, treeOf, type Content } from './systems.ts';

/** What a tree holds. */
export interface TreeContent {
  readonly hosts: ReadonlyMap<HostName, Content>;
  /** Files that no system is made of. */
  readonly readme: number;
  readonly evaluates: boolean;
  readonly manifestIsValid: boolean;
}

export interface Commit {
  readonly revision: Revision;
  readonly tree: Tree;
  readonly parent: Commit | undefined;
  readonly content: TreeContent;
}

export interface Repository {
  head(): Commit;
  /** Every head that the tracked ref ever had, oldest first. */
  heads(): readonly Commit[];
  find(revision: Revision): Commit | undefined;
  /** A commit on top of the head. */
  commit(content: TreeContent): Commit;
  /** The tracked ref is set to a commit that exists. */
  force(commit: Commit): void;
  /** A commit on top of any other, to which the testing branch of a host is set. */
  test(host: HostName, content: TreeContent, onto: Commit): Commit;
  pointTest(host: HostName, commit: Commit | undefined): void;
  /** Where testing branches are. */
  tests(): ReadonlyMap<HostName, Commit>;
  /** Whether what a testing branch holds is on top of the tracked ref and can be followed. */
  isFollowed(commit: Commit): boolean;
  tree(tree: Tree): TreeContent | undefined;
  connect(process: SimProcess): Source;
}

const timeouts = {
  buildMs: 600_000,
  pushMs: 120_000,
  activationMs: 60_000,
  confirmMs: 30_000,
  settleMs: 1_000,
};

function specOf(
  name: HostName,
  content: Content,
  policy: WorldPolicy,
  isThere: (host: HostName) => boolean,
): HostSpec {
  const { rebootWhen, ...rules } = policy.of(name);
  return {
    name,
    attribute: name,
    connection: { address: name, port: content.port, user: 'root', hostKeys: [] },
    ...plainHost,
    ...rules,
    after: rules.after.filter((other) => isThere(other)),
    reboot: { ...plainHost.reboot, when: rebootWhen, deadlineMs: 120_000 },
    // Few, so that there is something to prune.
    retention: { keep: 2, collectGarbage: false },
    timeouts,
  };
}

function fleetOf(content: TreeContent, policy: WorldPolicy): Fleet {
  return {
    flake: { folder: '.', attribute: 'nixosConfigurations' },
    adopt: 'auto',
    ...plainFleet,
    rollout: policy.rollout,
    groups: policy.groups,
    freezes: policy.freezes,
    hosts: {
      kind: 'listed',
      list: [...content.hosts].map(([name, one]) =>
        specOf(name, one, policy, (other) => content.hosts.has(other)),
      ),
    },
  };
}

function nameOf(content: TreeContent): string {
  return JSON.stringify([[...content.hosts], content.readme, content.evaluates, content.manifestIsValid]);
}

/** A Git repository in the memory of the simulation: commits, one tracked ref, and what its looks see. */
export function createRepository(deps: {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly first: TreeContent;
  readonly policy: WorldPolicy;
}): Repository {
  const { scheduler, faults } = deps;
  const trees = new Map<Tree, TreeContent>();
  const commits = new Map<Revision, Commit>();
  const heads: Commit[] = [];
  const tests = new Map<HostName, Commit>();
  /** What each controller's mirror holds: it outlives its process. */
  const mirrors = new Map<string, Set<Commit>>();

  function create(content: TreeContent, parent: Commit | undefined): Commit {
    const tree = treeOf(nameOf(content));
    trees.set(tree, content);
    const revision = revisionOf(`${commits.size} ${tree}`);
    const commit = { revision, tree, parent, content };
    commits.set(revision, commit);
    return commit;
  }

  function head(): Commit {
    const last = heads.at(-1);
    if (last === undefined) throw new Error('a repository without commits');
    return last;
  }

  function descends(commit: Commit, from: Revision | undefined): boolean {
    if (from === undefined) return true;
    for (let at: Commit | undefined = commit; at !== undefined; at = at.parent) {
      if (at.revision === from) return true;
    }
    return false;
  }

  function whyIgnored(tracked: Commit, commit: Commit): string | undefined {
    if (commit === tracked) return 'the tracked ref holds it';
    if (!descends(commit, tracked.revision)) return 'it is not on top of the tracked ref';
    return refusalOf(commit.content)?.message;
  }

  function testedOn(tracked: Commit, host: HostName, commit: Commit): TestingBranch {
    const { revision, tree } = commit;
    const ignored = whyIgnored(tracked, commit);
    return { host, revision, tree, author: 'someone', subject: 'a change', ignored };
  }

  heads.push(create(deps.first, undefined));
  return {
    head,
    heads: () => heads,
    find: (revision) => commits.get(revision),
    commit(content) {
      const commit = create(content, head());
      heads.push(commit);
      return commit;
    },
    force(commit) {
      heads.push(commit);
    },
    test(host, content, onto) {
      const commit = create(content, onto);
      tests.set(host, commit);
      return commit;
    },
    pointTest(host, commit) {
      if (commit === undefined) tests.delete(host);
      else tests.set(host, commit);
    },
    tests: () => tests,
    isFollowed: (commit) => whyIgnored(head(), commit) === undefined,
    tree: (tree) => trees.get(tree),
    connect(process) {
      const mirror = mirrors.get(process.name) ?? new Set<Commit>();
      mirrors.set(process.name, mirror);
      const notSeen = (what: string): FleetError =>
        new FleetError({
          code: 'NOT_FOUND',
          disposition: 'transient',
          message: `${what} has not been seen`,
        });
      return {
        async look(since) {
          await scheduler.pass(process, 'source look');
          if (faults.strikes('source-down', 0.05)) {
            return {
              kind: 'failing',
              failure: { code: 'SOURCE_UNREACHABLE', disposition: 'transient', message: 'no route to it' },
            };
          }
          const seen = head();
          mirror.add(seen);
          const testing = [...tests]
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([host, commit]) => testedOn(seen, host, commit));
          for (const commit of tests.values()) mirror.add(commit);
          // The answer travels while the ref may move on.
          await scheduler.pass(process, `source seen ${seen.revision.slice(0, 8)}`);
          return {
            kind: 'seen',
            revision: seen.revision,
            tree: seen.tree,
            descends: descends(seen, since),
            author: 'someone',
            subject: 'a change',
            testing,
          };
        },
        async manifest(revision): Promise<Manifest> {
          await scheduler.pass(process, `source manifest ${revision.slice(0, 8)}`);
          if (faults.strikes('step-fails', 0.01)) {
            throw new FleetError({
              code: 'DISK_FULL',
              disposition: 'transient',
              message: 'no space left for the mirror',
            });
          }
          const commit = [...mirror].find((one) => one.revision === revision);
          if (commit === undefined) throw notSeen(revision);
          const failure = refusalOf(commit.content);
          if (failure !== undefined) return { kind: 'invalid', failure };
          return { kind: 'fleet', fleet: fleetOf(commit.content, deps.policy) };
        },
        async pack(tree) {
          await scheduler.pass(process, 'source pack');
          const commit = [...mirror].find((one) => one.tree === tree);
          if (commit === undefined) throw notSeen(`tree ${tree}`);
          return new TextEncoder().encode(nameOf(commit.content));
        },
      };
    },
  };
}

function refusalOf({ manifestIsValid, hosts }: TreeContent): Failure | undefined {
  if (!manifestIsValid) {
    return { code: 'MANIFEST_INVALID', disposition: 'stalled', message: 'an unknown key' };
  }
  if (hosts.size > 0) return undefined;
  return { code: 'NO_HOSTS', disposition: 'stalled', message: 'it names no host at all' };
}
