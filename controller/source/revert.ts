import { FleetError } from '../../shared/domain/errors.ts';
import { parseRevision } from '../../shared/domain/names.ts';
import type { Revision } from '../../shared/domain/names.ts';
import { createRemoteCall } from './git-program-remote.ts';
import type { GitProgramAccess } from './git-program-remote.ts';
import type { Mirror } from './mirror.ts';
import { seenRef } from './mirror.ts';
import type { Remote } from './remote.ts';

export interface RevertRequest {
  /** A commit of the tracked ref: its SHA or an unambiguous beginning of it, of 7 digits or more. */
  readonly revision: string;
  /** Who asked, for the commit. */
  readonly actor: string;
  /** Milliseconds since the epoch, for the commit. */
  readonly at: number;
}

export interface Reverted {
  readonly reverted: Revision;
  /** The new commit, which is the tracked ref's head now. */
  readonly revision: Revision;
  readonly subject: string;
}

export interface Reverter {
  /**
   * Makes the commit that undoes another one and pushes it on top of the tracked ref, without a working copy.
   * @throws FleetError CONFLICT (with the files; or someone else pushed meanwhile), INVALID_INPUT, NOT_FOUND,
   *   UNAUTHORIZED (the push is refused), SOURCE_*
   */
  revert(request: RevertRequest): Promise<Reverted>;
}

/** Pushes that lost against somebody else's are made again on top of it. */
const mostTries = 3;
const person = { name: 'Varve', email: 'varve@varve.invalid' };

export function createReverter(
  deps: GitProgramAccess & { readonly mirror: Mirror; readonly ref: string; readonly remote: Remote },
): Reverter {
  const { mirror } = deps;
  const remote = createRemoteCall(deps);

  /** The SHA that `text` stands for, in the history of `head`. */
  async function resolve(text: string, head: Revision): Promise<Revision> {
    if (!/^[0-9a-f]{7,40}$/.test(text)) {
      throw invalid(
        `${JSON.stringify(text.slice(0, 80))} is not a revision`,
        'give the SHA of a commit, or its first 7 digits or more',
      );
    }
    let found = await mirror.run([
      'rev-parse',
      '--quiet',
      '--verify',
      '--end-of-options',
      `${text}^{commit}`,
    ]);
    let reaches = found.code === 0 && (await ancestor(found.stdout.toString('utf8').trim(), head));
    if (!reaches) {
      await deps.remote.fetch({ kind: 'everything' });
      found = await mirror.run(['rev-parse', '--quiet', '--verify', '--end-of-options', `${text}^{commit}`]);
      reaches = found.code === 0 && (await ancestor(found.stdout.toString('utf8').trim(), head));
    }
    if (!reaches) {
      throw new FleetError({
        code: 'NOT_FOUND',
        disposition: 'stalled',
        message: `${text} is not one commit in the history of ${deps.ref}`,
        hint: 'see `varve history` for the revisions that were deployed',
      });
    }
    return parseRevision(found.stdout.toString('utf8').trim());
  }

  async function ancestor(revision: string, head: Revision): Promise<boolean> {
    return (await mirror.run(['merge-base', '--is-ancestor', revision, head])).code === 0;
  }

  async function parentOf(revision: Revision): Promise<Revision> {
    let { parents } = await mirror.commit(revision);
    // Where the history at hand ends, a commit looks as if it had no parent.
    if (parents.length === 0 && (await mirror.ok(['rev-parse', '--is-shallow-repository'])) === 'true') {
      await deps.remote.fetch({ kind: 'everything' });
      ({ parents } = await mirror.commit(revision));
    }
    const [first] = parents;
    if (first === undefined) {
      throw invalid(
        `${revision} is the first commit: there is nothing before it`,
        'push the state that you want as a new commit',
      );
    }
    return first;
  }

  /** The tree of `head` without what `revision` changed. */
  async function treeWithout(revision: Revision, parent: Revision, head: Revision): Promise<string> {
    // Three commits made for this: their only common ancestor is `revision`, so the merge of the other two applies
    // the way from `revision` back to its parent to the head. (Older Git cannot be told the base of a merge.)
    const stand = async (of: Revision, on: readonly string[]): Promise<string> =>
      mirror.ok(['commit-tree', `${of}^{tree}`, ...on.flatMap((base) => ['-p', base])], {
        input: 'merge\n',
        env: identity(person.name, 0),
      });
    const base = await stand(revision, []);
    const ours = await stand(head, [base]);
    const theirs = await stand(parent, [base]);
    const merged = await mirror.run([
      'merge-tree',
      '--write-tree',
      '-z',
      '--name-only',
      '--no-messages',
      ours,
      theirs,
    ]);
    const [tree, ...files] = merged.stdout
      .toString('utf8')
      .split('\0')
      .filter((part) => part !== '');
    if (merged.code === 1) {
      const named = [...new Set(files)].map((file) => file.replaceAll(/\p{Cc}/gu, '?'));
      throw new FleetError({
        code: 'CONFLICT',
        disposition: 'stalled',
        message: `${revision.slice(0, 12)} cannot be reverted by itself: later commits changed the same lines of ${named.slice(0, 10).join(', ')}${named.length > 10 ? ` and ${named.length - 10} more` : ''}`,
        hint: 'revert the later commits first, or make the commit by hand: `git revert` and resolve',
        details: { files: named.join('\n').slice(0, 4_000) },
      });
    }
    if (merged.code !== 0 || tree === undefined) {
      throw new FleetError({
        code: 'INTERNAL',
        disposition: 'transient',
        message: `the merge that reverts ${revision} broke: ${merged.stderrTail.trim().slice(-300)}`,
      });
    }
    return tree;
  }

  async function push(commit: string, head: Revision): Promise<'pushed' | 'lost'> {
    const pushed = await remote.call(
      [
        'push',
        '--porcelain',
        '--no-follow-tags',
        '--no-verify',
        '--recurse-submodules=no',
        `--force-with-lease=${deps.ref}:${head}`,
      ],
      [`${commit}:${deps.ref}`],
      { deadlineMs: deps.times.fetchMs },
    );
    if (pushed.code === 0) return 'pushed';
    const said = pushed.stdout.toString('utf8');
    if (/\[rejected\] \((stale info|fetch first|non-fast-forward)\)/.test(said)) return 'lost';
    if (/cannot lock ref|failed to update ref|reference already exists/.test(said)) return 'lost';
    const refusal = /\[remote rejected\] \(([^\n]*)\)/.exec(said)?.[1];
    if (refusal !== undefined) {
      throw new FleetError({
        code: 'UNAUTHORIZED',
        disposition: 'stalled',
        message: `the repository does not take the revert: ${refusal.replaceAll(/\p{Cc}/gu, ' ').slice(0, 200)}`,
        hint: 'the branch may be protected: merge a revert by pull request, or let the credential push to it',
      });
    }
    throw await remote.failure(pushed);
  }

  async function attempt(request: RevertRequest): Promise<Reverted | undefined> {
    const { tracked: head } = await deps.remote.heads();
    if (!(await mirror.holds(head))) await deps.remote.fetch({ kind: 'new' });
    await mirror.ok(['update-ref', seenRef, head]);
    const reverted = await resolve(request.revision, head);
    const { subject } = await mirror.commit(reverted);
    const tree = await treeWithout(reverted, await parentOf(reverted), head);
    if (tree === (await mirror.commit(head)).tree) {
      throw invalid(
        `nothing of ${reverted.slice(0, 12)} is left to be undone`,
        'it was reverted before: see `varve history`',
      );
    }
    const commit = await mirror.ok(['commit-tree', tree, '-p', head], {
      input: `Revert "${subject}"\n\nThis reverts commit ${reverted}.\n\nAsked for by ${oneLine(request.actor)}.\n`,
      env: identity(`${oneLine(request.actor)} (by Varve)`, request.at),
    });
    if ((await push(commit, head)) === 'lost') return undefined;
    return { reverted, revision: parseRevision(commit), subject: `Revert "${subject}"` };
  }

  return {
    revert: (request) =>
      mirror.exclusive(async () => {
        await mirror.open();
        for (let tries = 0; tries < mostTries; tries += 1) {
          const done = await attempt(request);
          if (done !== undefined) return done;
        }
        throw new FleetError({
          code: 'CONFLICT',
          disposition: 'transient',
          message: `${deps.ref} moved each time that the revert was pushed`,
          hint: 'run it again',
        });
      }),
  };
}

function identity(author: string, atMs: number): Record<string, string> {
  const date = `${Math.floor(atMs / 1_000)} +0000`;
  return {
    GIT_AUTHOR_NAME: author,
    GIT_AUTHOR_EMAIL: person.email,
    GIT_AUTHOR_DATE: `@${date}`,
    GIT_COMMITTER_NAME: person.name,
    GIT_COMMITTER_EMAIL: person.email,
    GIT_COMMITTER_DATE: `@${date}`,
  };
}

function oneLine(text: string): string {
  const line = text
    .replaceAll(/[\s\p{Cc}<>]+/gu, ' ')
    .trim()
    .slice(0, 80);
  return line === '' ? 'unknown' : line;
}

function invalid(message: string, hint: string): FleetError {
  return new FleetError({ code: 'INVALID_INPUT', disposition: 'stalled', message, hint });
}
