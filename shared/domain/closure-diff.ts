import type { StorePath } from './names.ts';

/** One path of a closure. */
export interface ClosurePath {
  readonly path: StorePath;
  /** Bytes of the path as a Nix archive. */
  readonly narSize: number;
}

/** What differs between two closures, by package, and in bytes. */
export interface ClosureDiff {
  readonly added: readonly PackageChange[];
  readonly removed: readonly PackageChange[];
  /** On both sides, with other versions or other contents. */
  readonly changed: readonly PackageChange[];
  /** After minus before. */
  readonly bytes: number;
}

export interface PackageChange {
  readonly name: string;
  /** Versions in order; an empty text is a path without one. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** After minus before, over all paths of the name. */
  readonly bytes: number;
}

/** Compares two closures. Paths that both have do not count. Packages come in the order of their names. */
export function closureDiff(before: readonly ClosurePath[], after: readonly ClosurePath[]): ClosureDiff {
  const old = new Set<string>(before.map(({ path }) => path));
  const fresh = new Set<string>(after.map(({ path }) => path));
  const left = byName(before, (path) => !fresh.has(path));
  const right = byName(after, (path) => !old.has(path));
  const all = { before: byName(before, () => true), after: byName(after, () => true) };
  const added: PackageChange[] = [];
  const removed: PackageChange[] = [];
  const changed: PackageChange[] = [];
  for (const name of [...new Set([...left.keys(), ...right.keys()])].sort(inOrder)) {
    const was = all.before.get(name);
    const is = all.after.get(name);
    const change: PackageChange = {
      name,
      before: versions(was),
      after: versions(is),
      bytes: (is?.bytes ?? 0) - (was?.bytes ?? 0),
    };
    if (was === undefined) added.push(change);
    else if (is === undefined) removed.push(change);
    else changed.push(change);
  }
  return { added, removed, changed, bytes: total(after) - total(before) };
}

interface Package {
  readonly versions: Set<string>;
  bytes: number;
}

function byName(
  closure: readonly ClosurePath[],
  wanted: (path: string) => boolean,
): ReadonlyMap<string, Package> {
  const packages = new Map<string, Package>();
  for (const { path, narSize } of closure) {
    if (!wanted(path)) continue;
    const { name, version } = splitName(path);
    const entry = packages.get(name) ?? { versions: new Set<string>(), bytes: 0 };
    entry.versions.add(version);
    entry.bytes += narSize;
    packages.set(name, entry);
  }
  return packages;
}

function versions(entry: Package | undefined): readonly string[] {
  return entry === undefined ? [] : [...entry.versions].sort(inOrder);
}

function total(closure: readonly ClosurePath[]): number {
  return closure.reduce((sum, { narSize }) => sum + narSize, 0);
}

function inOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const digestLength = '/nix/store/'.length + 32 + 1;

/** `/nix/store/<hash>-openssl-3.0.14-bin` is openssl, 3.0.14-bin: the version begins at the first digit after a dash. */
export function splitName(path: string): { readonly name: string; readonly version: string } {
  const whole = path.slice(digestLength);
  const at = whole.search(/-[0-9]/);
  return at <= 0 ? { name: whole, version: '' } : { name: whole.slice(0, at), version: whole.slice(at + 1) };
}
