import type { PathInfo } from '../nix/store.ts';

/**
 * What the host lacks of a closure, in an order in which each path comes after all that it references: a daemon takes no
 * path before. Of what may come at any time the largest comes first, so that the end is not one of them alone. Pure.
 */
export function orderForSending(
  closure: readonly PathInfo[],
  valid: ReadonlySet<string>,
): readonly PathInfo[] {
  const missing = new Map(
    closure.filter(({ path }) => !valid.has(path)).map((info) => [info.path as string, info]),
  );
  const order: PathInfo[] = [];
  const left = new Map<string, number>();
  const referrers = new Map<string, PathInfo[]>();
  for (const info of missing.values()) {
    const needs = info.references.filter((path) => path !== info.path && missing.has(path));
    left.set(info.path, needs.length);
    for (const path of needs) {
      const known = referrers.get(path);
      if (known === undefined) referrers.set(path, [info]);
      else known.push(info);
    }
  }
  const bySize = (a: PathInfo, b: PathInfo): number => b.narSize - a.narSize || (a.path < b.path ? -1 : 1);
  let ready = [...missing.values()].filter(({ path }) => left.get(path) === 0).toSorted(bySize);
  while (ready.length > 0) {
    const next: PathInfo[] = [];
    for (const info of ready) {
      order.push(info);
      for (const referrer of referrers.get(info.path) ?? []) {
        const still = (left.get(referrer.path) ?? 0) - 1;
        left.set(referrer.path, still);
        if (still === 0) next.push(referrer);
      }
    }
    ready = next.toSorted(bySize);
  }
  return order;
}
