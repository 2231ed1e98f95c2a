import { FleetError, failureOf } from '../../shared/domain/errors.ts';
import type { Revision, Tree } from '../../shared/domain/names.ts';
import type { Logger } from '../../shared/platform/logger.ts';
import type { Look, Manifest, Source } from '../../shared/platform/ports/source.ts';
import { readManifest } from './manifest-reader.ts';
import type { Mirror } from './mirror.ts';
import type { Remote, RemoteHeads } from './remote.ts';
import { revisionMismatch } from './source-failures.ts';
import { createTestingReader } from './testing-branches.ts';
import { packTree } from './tree-pack.ts';

/** A source that keeps something open. */
export interface OpenSource extends Source {
  close(): Promise<void>;
}

/** A branch may move between listing and fetch; if it keeps doing so, the look gives up. */
const mostTries = 4;
/** Steps in which a history that ends too early is deepened. */
const deeper = [{ kind: 'commits', count: 1_000 }, { kind: 'everything' }] as const;
const rememberedManifests = 64;
/** A fetch adds one pack at most; whether there are too many is not asked every time. */
const looksBetweenTidying = 8;

/** The watched repository, on a mirror that `remote` fills. */
export function createMirrorSource(deps: {
  readonly mirror: Mirror;
  readonly remote: Remote;
  readonly logger: Logger;
  /** The address, for messages. */
  readonly url: string;
}): OpenSource {
  const { mirror, remote } = deps;
  const manifests = new Map<Tree, Manifest>();
  const tests = createTestingReader({ mirror, remote, logger: deps.logger, manifest: manifestOf });
  let opened = false;
  let brought = 0;
  let last: { readonly revision: Revision; readonly tree: Tree } | undefined;

  async function open(): Promise<void> {
    if (opened) return;
    await mirror.open();
    opened = true;
  }

  /** Beside looks, but not while one of them makes the mirror. */
  async function ensureOpen(): Promise<void> {
    if (!opened) await mirror.exclusive(open);
  }

  async function bring(signal: AbortSignal | undefined): Promise<RemoteHeads> {
    let heads = await remote.heads(signal);
    let listed = heads.tracked;
    if (await mirror.pinned(listed)) return heads;
    for (let attempt = 1; ; attempt += 1) {
      await remote.fetch({ kind: 'new' }, signal);
      // Objects are named by their contents: a commit of this name, with all of its trees, is the one that was listed.
      if (await mirror.holds(listed)) break;
      if (attempt === mostTries) throw revisionMismatch(deps.url, listed);
      heads = await remote.heads(signal);
      listed = heads.tracked;
      if (await mirror.holds(listed)) break;
    }
    await mirror.pin(listed);
    if (brought % looksBetweenTidying === 0) await mirror.tidy();
    brought += 1;
    return heads;
  }

  async function descends(
    revision: Revision,
    since: Revision | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (since === undefined) return true;
    let answer = await mirror.descends(revision, since);
    try {
      for (const depth of deeper) {
        if (answer !== 'unknown') break;
        await remote.fetch(depth, signal);
        answer = await mirror.descends(revision, since);
      }
    } catch (thrown) {
      if (!(thrown instanceof FleetError) || thrown.details?.['limit'] !== 'size') throw thrown;
      // The revision is here. That its ancestors are too many to be had must not keep the fleet from it.
      deps.logger.warn({ err: thrown, revision, since }, 'ancestry of the revision not known');
    }
    return answer === 'yes';
  }

  async function look(since: Revision | undefined, signal: AbortSignal | undefined): Promise<Look> {
    await open();
    const heads = await bring(signal);
    const revision = heads.tracked;
    const { tree, author, subject } = await mirror.commit(revision);
    last = { revision, tree };
    const isDescendant = await descends(revision, since, signal);
    const tested = await tests.read(heads.testing, revision, signal);
    return { kind: 'seen', revision, tree, descends: isDescendant, author, subject, ...tested };
  }

  async function manifestOf(tree: Tree): Promise<Manifest> {
    const known = manifests.get(tree);
    if (known !== undefined) return known;
    const manifest = await readManifest(mirror, tree);
    manifests.set(tree, manifest);
    const oldest = manifests.keys().next().value;
    if (manifests.size > rememberedManifests && oldest !== undefined) manifests.delete(oldest);
    return manifest;
  }

  async function treeOf(revision: Revision): Promise<Tree> {
    if (!(await mirror.pinned(revision))) throw notSeen(`revision ${revision}`);
    return (await mirror.commit(revision)).tree;
  }

  return {
    look: (since, signal) =>
      mirror.exclusive(async () => {
        try {
          return await look(since, signal);
        } catch (thrown) {
          // The mirror may be what is wrong: it is looked at anew before the next look.
          opened = false;
          if (!(thrown instanceof FleetError))
            deps.logger.error({ err: thrown }, 'look at the repository broke');
          return { kind: 'failing', failure: failureOf(thrown) };
        }
      }),

    async manifest(revision) {
      await ensureOpen();
      return await manifestOf(last?.revision === revision ? last.tree : await treeOf(revision));
    },

    async pack(tree) {
      await ensureOpen();
      if (!(await mirror.hasTree(tree))) throw notSeen(`tree ${tree}`);
      return packTree(mirror, tree);
    },

    close: () => remote.close(),
  };
}

function notSeen(what: string): FleetError {
  return new FleetError({
    code: 'NOT_FOUND',
    disposition: 'transient',
    message: `${what} has not been seen at the repository`,
    hint: 'look at the repository again: `varve sync`',
  });
}
