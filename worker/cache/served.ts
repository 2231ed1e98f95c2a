import { isStorePath, type StorePath } from '../../shared/domain/names.ts';
import type { Roots } from '../nix/roots.ts';
import type { NixStore, PathInfo } from '../nix/store.ts';

/**
 * What a worker lets others have of its store: the closures of the systems that it delivers to hosts, and of the guard.
 * All else, such as sources, derivations and what other users of the machine have built, is not there for them.
 */
export interface Served {
  /** @param digest the first 32 characters of the path's name */
  byDigest(digest: string): Promise<PathInfo | undefined>;
  /** A path with that archive. @param narHash 64 lower-case hex digits */
  byNarHash(narHash: string): Promise<PathInfo | undefined>;
}

export interface ServedDeps {
  /** The worker's own: what it roots there is what it delivers. */
  readonly roots: Pick<Roots, 'names'>;
  readonly store: Pick<NixStore, 'invalid' | 'closure'>;
  /** For so long it may be served what is not rooted any more. */
  readonly staleMs?: number;
}

interface Index {
  readonly rooted: ReadonlySet<StorePath>;
  readonly byDigest: Map<string, PathInfo>;
  readonly byNarHash: Map<string, PathInfo>;
}

export const digestAt = '/nix/store/'.length;
export const digestLength = 32;

/** Knows what is served without asking the store, but for what is new. Reads nothing before it is asked. */
export function createServed({ roots, store, staleMs = 60_000 }: ServedDeps): Served {
  let index: Index = { rooted: new Set(), byDigest: new Map(), byNarHash: new Map() };
  let wholeAt = -Infinity;
  let looking: Promise<void> | undefined;
  let lookingNext: Promise<void> | undefined;

  async function rootedPaths(): Promise<ReadonlySet<StorePath>> {
    const hosts = await roots.names(['hosts']);
    const groups = [['guard'], ...hosts.map((host) => ['hosts', host])];
    const names = await Promise.all(groups.map((group) => roots.names(group)));
    return new Set(
      names
        .flat()
        .map((name) => `/nix/store/${name}`)
        .filter(isStorePath),
    );
  }

  async function look(): Promise<void> {
    const now = performance.now();
    const found = await rootedPaths();
    const isOld = now - wholeAt > staleMs;
    // What is rooted and known cannot have gone: garbage collection leaves it.
    const isGone = [...index.rooted].some((path) => !found.has(path));
    const before: Index =
      isOld && isGone ? { rooted: new Set(), byDigest: new Map(), byNarHash: new Map() } : index;
    const fresh = [...found].filter((path) => !before.rooted.has(path));
    // A root is there before the path that it is for.
    const invalid = await store.invalid(fresh, { signal: undefined });
    const valid = fresh.filter((path) => !invalid.has(path));
    const closure = valid.length === 0 ? [] : await store.closure(valid, { signal: undefined });
    for (const info of closure) {
      before.byDigest.set(info.path.slice(digestAt, digestAt + digestLength), info);
      before.byNarHash.set(info.narHash, info);
    }
    index = { ...before, rooted: new Set([...before.rooted, ...valid]) };
    if (isOld) wholeAt = now;
  }

  /** Looks, from now on: a look that is under way may have passed what is wanted. */
  function lookAgain(): Promise<void> {
    if (looking === undefined) {
      looking = look().finally(() => {
        looking = undefined;
      });
      return looking;
    }
    lookingNext ??= looking
      .catch(() => {
        // Whoever waits for that one is told.
      })
      .then(() => {
        lookingNext = undefined;
        return lookAgain();
      });
    return lookingNext;
  }

  async function find(where: 'byDigest' | 'byNarHash', key: string): Promise<PathInfo | undefined> {
    if (performance.now() - wholeAt > staleMs) await lookAgain();
    else if (!index[where].has(key)) await lookAgain();
    return index[where].get(key);
  }

  return {
    byDigest: (digest) => find('byDigest', digest),
    byNarHash: (narHash) => find('byNarHash', narHash),
  };
}
