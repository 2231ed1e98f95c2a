import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Release } from '../../shared/domain/observation.ts';

/**
 * What the ledger holds against a system on its host, and still may: since the system is wanted there, and since a
 * person last asked for a retry. Told from the facts alone, and not in the words of the core.
 */
export function standingFailures(
  facts: readonly Fact[],
  host: HostName,
  toplevel: StorePath,
): readonly FactOf<'outcome'>[] {
  const releases = new Map<string, Release>();
  let newest: string | undefined;
  let wanted: StorePath | undefined;
  /** The host was sent back to the system, or was to test it. */
  let otherwise = false;
  const branches = new Set<string>();
  let here: FactOf<'outcome'>[] = [];
  /** In a test, or on the way back: what the release wants changes nothing of that. */
  let apart: FactOf<'outcome'>[] = [];
  /** A build that failed is held against the system wherever and whenever it is wanted. */
  let builds: FactOf<'outcome'>[] = [];

  function ofNewest(): StorePath | undefined {
    return newest === undefined ? undefined : releases.get(newest)?.hosts.get(host)?.toplevel;
  }

  function want(): void {
    const now = ofNewest();
    if (now === undefined || now === wanted) return;
    wanted = now;
    if (now !== toplevel) here = [];
  }

  function test(): void {
    for (const key of branches) {
      if (releases.get(key)?.hosts.get(host)?.toplevel === toplevel) otherwise = true;
    }
  }

  for (const fact of facts) {
    switch (fact.kind) {
      case 'release':
        if (!releases.has(fact.release.key)) releases.set(fact.release.key, fact.release);
        test();
        want();
        break;
      case 'observation':
        newest = fact.key;
        want();
        break;
      case 'retry':
        if (fact.host !== undefined && fact.host !== host) break;
        here = [];
        apart = [];
        // Of one host: the build that is wanted there now, if it is known by now which one that is.
        if (fact.host === undefined || ofNewest() === toplevel) builds = [];
        break;
      case 'pin':
        if (fact.host === host && fact.to.toplevel === toplevel) otherwise = true;
        break;
      case 'testing':
        if (fact.host === host && fact.branch !== undefined) branches.add(fact.branch.key);
        test();
        break;
      case 'outcome':
        if (fact.aim.host !== host || fact.aim.toplevel !== toplevel) break;
        if (fact.failure?.code === 'BUILD_FAILED') builds.push(fact);
        else if (fact.failure === undefined) [here, apart] = [[], []];
        else if (wanted === undefined || wanted === toplevel) here.push(fact);
        else if (otherwise) apart.push(fact);
        // The newest tree, which is being evaluated, may turn out to want it.
        else if (fact.evidence && ofNewest() === undefined) here.push(fact);
        break;
      default:
        break;
    }
  }
  return [...here, ...apart, ...builds];
}
