import { describe, expect, it } from 'vitest';
import { newDeployment } from '../../../../../controller/reconcile/plan/aim.ts';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import type { ProbeReport } from '../../../../../shared/domain/contact.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import type { HostSpec } from '../../../../../shared/domain/fleet.ts';
import { parseDeploymentId, parseRevision, parseTree } from '../../../../../shared/domain/names.ts';
import type { Verdict } from '../../../../../shared/domain/verdict.ts';
import type { TestedBranch } from '../../../../../shared/domain/testing.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  aReport,
  anObservation,
  anOutcome,
  aSpec,
  host,
  incarnation,
  observed,
  reached,
  released,
  releaseKey,
  remembering,
  running,
  sha,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const patience = { probeEveryMs: 300_000, backOffMs: 1_000, longestBackOffMs: 60_000, lookAgainMs: 500 };
const [A, T] = [toplevel('A'), toplevel('T')];
const now = 50_000;

const base: readonly Fact[] = [adopted('web1', A), observed(1, 'A'), released('A', { web1: 'A' })];

/** The testing branch of web1 on top of observation 1. */
function branch(change: Partial<TestedBranch> = {}): Fact {
  const revision = parseRevision(sha('rT'));
  const onto = anObservation(1, 'A').revision;
  const tested: TestedBranch = {
    ...{ revision, onto, tree: parseTree(sha('tT')), key: releaseKey('T') },
    ...{ author: 'Ada', subject: 'a try', ignored: undefined },
    ...change,
  };
  return { kind: 'testing', at: 2_000, host: host('web1'), branch: tested };
}
const evaluated = released('T', { web1: 'T' });
const testRan = anOutcome(aDeployment({ toplevel: T, mode: 'test' }), { at: 3_000 });
const tested = aReport({ current: T, booted: A, profile: A, bootDefault: A });

interface Case {
  readonly facts: readonly Fact[];
  readonly report: ProbeReport;
  readonly spec?: Partial<HostSpec>;
  readonly n?: number;
  readonly letter?: string;
}

function decide({ facts, report, spec, n = 1, letter = 'A' }: Case) {
  const memory = remembering(...base, ...facts);
  const web1 = aSpec('web1', spec);
  const desired = wanting(n, letter, aFleet([web1]), { web1: letter });
  const contact = reached('web1', report, 40_000);
  const contacts = new Map([[host('web1'), contact]]);
  const decided = plan(desired, { incarnation, memory, contacts, deployments: [] }, patience, now);
  const verdict = decided.verdicts[0] as Verdict;
  if (desired.kind !== 'ready') throw new Error('it is ready');
  const deployment = newDeployment({
    ...{ id: parseDeploymentId('d000009'), token: { epoch: 1, counter: 9 }, at: now },
    ...{ verdict, spec: web1, desired, memory, contact },
  });
  return { verdict, deployment, decided };
}

describe('a testing branch on top of the tracked ref', () => {
  it('is brought to its host with `test`, with its own revision and tree, without beginning a rollout', () => {
    const { verdict, deployment, decided } = decide({ facts: [branch(), evaluated], report: running(A) });
    expect(verdict).toMatchObject({ kind: 'deliver', toplevel: T });
    expect(verdict.reason).toContain('testing/web1');
    expect(deployment).toMatchObject({
      ...{ toplevel: T, mode: 'test', observation: 1 },
      ...{ revision: sha('rT'), tree: sha('tT') },
    });
    expect(decided.rollout?.facts).toEqual([]);
  });

  it('waits for its evaluation while the host keeps what it has', () => {
    expect(decide({ facts: [branch()], report: running(A) }).verdict.kind).toBe('in-sync');
  });

  it('leaves its host in sync once that runs it, whatever it would boot', () => {
    const { verdict } = decide({ facts: [branch(), evaluated, testRan], report: tested });
    expect(verdict).toMatchObject({ kind: 'in-sync', toplevel: T });
    expect(verdict.reason).toMatch(/^testing revision [0-9a-f]{12} of testing\/web1$/);
  });

  it('is tested again after a reboot, which is no drift', () => {
    const { verdict, deployment } = decide({ facts: [branch(), evaluated, testRan], report: running(A) });
    expect(verdict).toMatchObject({ kind: 'deliver', toplevel: T });
    expect(deployment?.mode).toBe('test');
  });

  it('is not fought for with somebody who switched to something else: that is drift', () => {
    const report = aReport({ ...tested, current: toplevel('X') });
    const { verdict } = decide({ facts: [branch(), evaluated, testRan], report, spec: { drift: 'report' } });
    expect(verdict).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
  });

  it('is not tried again once it failed, until it moves', () => {
    const failed = anOutcome(aDeployment({ toplevel: T, mode: 'test' }), {
      ...{ at: 3_000, phase: 'rolled-back', evidence: true, failure: aFailure() },
    });
    const facts = [branch(), evaluated, failed];
    expect(decide({ facts, report: running(A) }).verdict).toMatchObject({ kind: 'stalled' });
    const moved = branch({ revision: parseRevision(sha('rU')), key: releaseKey('U') });
    const again = [...facts, moved, released('U', { web1: 'U' })];
    expect(decide({ facts: again, report: running(A) }).verdict).toMatchObject({
      kind: 'deliver',
      toplevel: toplevel('U'),
    });
  });

  it('gives way to a person who holds the host, and to one who rolls it back', () => {
    const scope = { kind: 'host', host: host('web1') } as const;
    const hold: Fact = { kind: 'hold', at: 3_000, scope, by: 'ada', reason: 'busy', until: undefined };
    const facts = [branch(), evaluated, hold];
    expect(decide({ facts, report: running(A) }).verdict.kind).toBe('held');
    const pin: Fact = {
      ...{ kind: 'pin', at: 3_000, host: host('web1'), by: 'ada', reason: 'busy', cause: 'person' },
      ...{ to: { toplevel: toplevel('O'), drvPath: undefined, observation: 0 }, from: A },
    };
    const { deployment } = decide({ facts: [...facts, pin], report: running(A) });
    expect(deployment).toMatchObject({ toplevel: toplevel('O'), mode: 'switch' });
  });
});

describe('a testing branch that is merged (G1)', () => {
  it('is promoted: the same system becomes profile and boot default', () => {
    const merge = observed(2, 'T', { revision: parseRevision(sha('rT')) });
    const facts = [branch(), evaluated, testRan, merge];
    const { verdict, deployment } = decide({ facts, report: tested, n: 2, letter: 'T' });
    expect(verdict.kind).toBe('finalise');
    expect(deployment).toMatchObject({ toplevel: T, action: 'finalise', mode: 'switch' });
  });
});

describe('a testing branch that is not on top of the tracked ref', () => {
  const ignored = branch({ ignored: 'it is not on top of the tracked ref' });

  it('changes nothing on its host (G6)', () => {
    expect(decide({ facts: [ignored, evaluated], report: running(A) }).verdict.kind).toBe('in-sync');
  });

  it('is not followed any more when the tracked ref has moved, until it was looked at again', () => {
    const facts = [branch(), evaluated, testRan, observed(2, 'A')];
    expect(decide({ facts, report: tested, n: 2 }).deployment).toMatchObject({ toplevel: A, mode: 'switch' });
  });

  it.each([
    { how: 'it was reset (G7)', last: ignored },
    { how: 'it is gone (G8)', last: { kind: 'testing', at: 4_000, host: host('web1'), branch: undefined } },
  ] as const)('takes its host back to the tracked release when $how', ({ last }) => {
    const { verdict, deployment } = decide({ facts: [branch(), evaluated, testRan, last], report: tested });
    expect(verdict.kind).toBe('deliver');
    expect(deployment).toMatchObject({ toplevel: A, mode: 'switch' });
  });
});
