import { describe, expect, it } from 'vitest';
import { evaluationRequest, testingRequest } from '../../../../controller/reconcile/release-key.ts';
import { isAwaited, testingFacts, testingRequests } from '../../../../controller/reconcile/testing.ts';
import type { Sighting } from '../../../../controller/reconcile/watcher.ts';
import type { Desired } from '../../../../shared/domain/desired.ts';
import type { Fact } from '../../../../shared/domain/facts.ts';
import { parseRevision, parseTree } from '../../../../shared/domain/names.ts';
import type { TestingBranch } from '../../../../shared/domain/testing.ts';
import {
  aFailure,
  aFleet,
  anObservation,
  aRelease,
  aSpec,
  host,
  remembering,
  sha,
} from '../../../support/builders.ts';

const fleet = aFleet([aSpec('web1'), aSpec('web2', { attribute: 'other' })]);
const observation = anObservation(1, 'A');
const { key } = evaluationRequest(observation.tree, fleet);
const release = { ...aRelease('A', { web1: 'A', web2: 'A' }), key };
const ready: Desired = { kind: 'ready', observation, fleet, release };
const base: readonly Fact[] = [
  { kind: 'observation', at: 1_000, observation, key },
  { kind: 'release', at: 1_001, release, durationMs: 1 },
];
const web1 = host('web1');
const now = 5_000;

function aBranch(of: string, letter = 'T', change: Partial<TestingBranch> = {}): TestingBranch {
  return {
    host: host(of),
    revision: parseRevision(sha(`r${letter}`)),
    tree: parseTree(sha(`t${letter}`)),
    author: 'Ada',
    subject: 'a try',
    ignored: undefined,
    ...change,
  };
}

/** A look that found these branches, on top of this observation unless told otherwise. */
function sighting(testing: readonly TestingBranch[] | undefined, of = observation): Sighting {
  const { revision, tree } = of;
  const read = { revision, manifest: { kind: 'fleet', fleet } } as const;
  return {
    look: { kind: 'seen', revision, tree, descends: true, author: 'Ada', subject: 'A', testing },
    read,
  };
}

/** What the ledger learns of a branch that is seen with what was observed last. */
function factOf(branch: TestingBranch): Fact {
  const { host: of, ...rest } = branch;
  const spec = aSpec(of, of === 'web2' ? { attribute: 'other' } : {});
  const { key: own } = testingRequest(branch.tree, fleet, spec);
  return {
    kind: 'testing',
    at: now,
    host: of,
    branch: { ...rest, onto: observation.revision, key: own },
  };
}

describe('what the ledger learns of testing branches', () => {
  it('is each that is new, for its host alone', () => {
    const found = [aBranch('web1'), aBranch('web2')];
    const facts = testingFacts(sighting(found), ready, remembering(...base), now);
    expect(facts).toEqual(found.map(factOf));
    const [first, second] = facts.map(({ branch }) => branch?.key);
    expect(first).not.toBe(second);
  });

  it('is nothing of one that is as it was, nor of one whose host the tracked revision does not name', () => {
    const memory = remembering(...base, factOf(aBranch('web1')));
    expect(testingFacts(sighting([aBranch('web1')]), ready, memory, now)).toEqual([]);
    expect(testingFacts(sighting([aBranch('web1'), aBranch('web9')]), ready, memory, now)).toEqual([]);
  });

  it('is what moved, what came to be ignored, and what is gone', () => {
    const memory = remembering(...base, factOf(aBranch('web1')));
    const moved = aBranch('web1', 'U');
    const ignored = aBranch('web1', 'T', { ignored: 'it is not on top of the tracked ref' });
    expect(testingFacts(sighting([moved]), ready, memory, now)).toEqual([factOf(moved)]);
    expect(testingFacts(sighting([ignored]), ready, memory, now)).toEqual([factOf(ignored)]);
    expect(testingFacts(sighting([]), ready, memory, now)).toEqual([
      { kind: 'testing', at: now, host: web1, branch: undefined },
    ]);
  });

  it('is no news with every commit while a branch stays ignored for the same reason', () => {
    const ignored = aBranch('web1', 'T', { ignored: 'it is not on top of the tracked ref' });
    const second = anObservation(2, 'B');
    const next = evaluationRequest(second.tree, fleet).key;
    const memory = remembering(...base, factOf(ignored), {
      kind: 'observation',
      at: 2_000,
      observation: second,
      key: next,
    });
    const later: Desired = { kind: 'evaluating', observation: second, fleet, setback: undefined };
    expect(testingFacts(sighting([ignored], second), later, memory, now)).toEqual([]);
    // One that was rebased onto the new commit is.
    expect(testingFacts(sighting([aBranch('web1', 'U')], second), later, memory, now)).toHaveLength(1);
  });

  it('is nothing while it is not known what they are to be judged by', () => {
    const memory = remembering(...base, factOf(aBranch('web1')));
    const failure = aFailure({ code: 'MANIFEST_INVALID' });
    for (const [seen, desired] of [
      [undefined, ready],
      [sighting(undefined), ready],
      [sighting([], anObservation(2, 'B')), ready],
      [sighting([]), { kind: 'unknown', reason: 'it is being read' }],
      [sighting([]), { kind: 'blocked', observation, failure, fleet: undefined }],
    ] as const) {
      expect(testingFacts(seen, desired, memory, now)).toEqual([]);
    }
  });
});

describe('trees of testing branches', () => {
  const asked = (...facts: readonly Fact[]) => testingRequests(ready, remembering(...base, ...facts));

  it('are evaluated for their host alone, by the attribute that the tracked revision says', () => {
    expect(asked(factOf(aBranch('web2')))).toEqual([
      expect.objectContaining({ tree: aBranch('web2').tree, hosts: new Map([['web2', 'other']]) }),
    ]);
    expect(asked(factOf(aBranch('web1')), factOf(aBranch('web2')))).toHaveLength(2);
  });

  it('are not evaluated when they are ignored, known, have failed before, or are not on top any more', () => {
    const fact = factOf(aBranch('web1'));
    const own = testingRequest(aBranch('web1').tree, fleet, aSpec('web1')).key;
    const known = { ...aRelease('T', { web1: 'T' }), key: own };
    expect(asked(factOf(aBranch('web1', 'T', { ignored: 'no' })))).toEqual([]);
    expect(asked(fact, { kind: 'release', at: 3_000, release: known, durationMs: 1 })).toEqual([]);
    const { tree } = aBranch('web1');
    expect(
      asked(fact, { kind: 'evaluation-failed', at: 3_000, key: own, tree, failure: aFailure() }),
    ).toEqual([]);
    const newer: Desired = { ...ready, observation: anObservation(2, 'A') };
    expect(testingRequests(newer, remembering(...base, fact))).toEqual([]);
  });

  it('wait until the tracked one is evaluated', () => {
    const evaluating: Desired = { kind: 'evaluating', observation, fleet, setback: undefined };
    expect(testingRequests(evaluating, remembering(...base, factOf(aBranch('web1'))))).toEqual([]);
  });
});

describe('an evaluation is waited for', () => {
  it('as long as it is of the newest tree, or of a branch that is followed', () => {
    const own = testingRequest(aBranch('web1').tree, fleet, aSpec('web1')).key;
    const memory = remembering(...base, factOf(aBranch('web1')));
    expect(isAwaited(key, memory)).toBe(true);
    expect(isAwaited(own, memory)).toBe(true);
    expect(isAwaited(own, remembering(...base))).toBe(false);
    const ignored = factOf(aBranch('web1', 'T', { ignored: 'no' }));
    expect(isAwaited(own, remembering(...base, ignored))).toBe(false);
  });
});
