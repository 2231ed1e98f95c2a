import { hostsOf, type Desired } from '../../shared/domain/desired.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { EvaluationRequest, ReleaseKey } from '../../shared/domain/observation.ts';
import { activeTesting, type TestedBranch } from '../../shared/domain/testing.ts';
import { testingRequest } from './release-key.ts';
import type { Sighting } from './watcher.ts';

/**
 * What the ledger has yet to learn of testing branches. They are judged against the tracked revision that they were
 * seen with, and only that one's manifest says which hosts there are. Pure.
 */
export function testingFacts(
  sighting: Sighting | undefined,
  desired: Desired,
  memory: Memory,
  now: number,
): readonly FactOf<'testing'>[] {
  if (sighting?.look.testing === undefined || desired.kind === 'unknown' || desired.fleet === undefined)
    return [];
  const { testing, unread = [], revision: onto } = sighting.look;
  if (desired.observation.revision !== onto) return [];
  const facts: FactOf<'testing'>[] = [];
  const there = new Set([...testing.map(({ host }) => host), ...unread]);
  for (const [host, remembered] of memory.hosts) {
    if (remembered.testing !== undefined && !there.has(host)) {
      facts.push({ kind: 'testing', at: now, host, branch: undefined });
    }
  }
  for (const { host, ...found } of testing) {
    const spec = hostsOf(desired).get(host);
    if (spec === undefined) continue;
    const { key } = testingRequest(found.tree, desired.fleet, spec);
    const branch: TestedBranch = { ...found, onto, key };
    if (!isSame(memory.hosts.get(host)?.testing, branch))
      facts.push({ kind: 'testing', at: now, host, branch });
  }
  return facts;
}

/** What is ignored is ignored whatever it was seen with: it is no news with every commit. */
function isSame(before: TestedBranch | undefined, after: TestedBranch): boolean {
  if (before?.revision !== after.revision || before.ignored !== after.ignored) return false;
  return after.ignored !== undefined || (before.key === after.key && before.onto === after.onto);
}

/** The trees of testing branches that have yet to be evaluated, each for its host alone. Pure. */
export function testingRequests(desired: Desired, memory: Memory): readonly EvaluationRequest[] {
  if (desired.kind !== 'ready') return [];
  const requests: EvaluationRequest[] = [];
  for (const [host, spec] of hostsOf(desired)) {
    const testing = activeTesting(memory.hosts.get(host), desired.observation);
    if (testing === undefined || testing.released !== undefined) continue;
    if (!memory.failedEvaluations.has(testing.key))
      requests.push(testingRequest(testing.tree, desired.fleet, spec));
  }
  return requests;
}

/** Whether somebody waits for a release. */
export function isAwaited(key: ReleaseKey, memory: Memory): boolean {
  if (key === memory.newestKey) return true;
  const newest = memory.observations.at(-1);
  if (newest === undefined) return false;
  for (const remembered of memory.hosts.values()) {
    if (activeTesting(remembered, newest)?.key === key) return true;
  }
  return false;
}
