import { describe, expect, it } from 'vitest';
import { intentOf } from '../../../../../controller/reconcile/plan/aim.ts';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import { Check } from '../../../../../shared/contracts/domain.ts';
import { resolveCheck } from '../../../../../shared/contracts/manifest-check.ts';
import type { ProbeReport } from '../../../../../shared/domain/contact.ts';
import type { Desired } from '../../../../../shared/domain/desired.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  aDeployment,
  aFailure,
  aFleet,
  anObservation,
  anOutcome,
  aReport,
  aSpec,
  host,
  incarnation,
  observed,
  reached,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';
import { patience, fleet, A, B, aThenB, judge } from '../../../../support/judged.ts';

describe('plan', () => {
  it('delivers where another system is wanted than the one that runs', () => {
    expect(judge({})).toMatchObject({ kind: 'deliver', toplevel: B });
  });

  it('is in sync when current, profile and boot default are what is wanted', () => {
    expect(judge({ report: running(B) })).toMatchObject({ kind: 'in-sync' });
  });

  it('judges by the profile alone where nobody can read what would boot', () => {
    const unreadable = (profile: typeof A) =>
      aReport({ current: B, booted: B, profile, bootDefault: undefined });
    expect(judge({ report: unreadable(B) })).toMatchObject({ kind: 'in-sync' });
    expect(judge({ report: unreadable(A) })).toMatchObject({ kind: 'finalise' });
  });

  it('only sets profile and boot default when the wanted system runs already', () => {
    const report = aReport({ current: B, booted: A, profile: A, bootDefault: A });
    expect(judge({ report })).toMatchObject({ kind: 'finalise' });
  });

  it('probes a host first that has not been probed in this life of the store', () => {
    expect(judge({ contact: 'none' })).toMatchObject({ kind: 'probe' });
    const stale = { ...reached('web1', running(A), 9_000), incarnation: 'another life' };
    expect(judge({ contact: stale })).toMatchObject({ kind: 'probe' });
  });

  it('probes again before it does anything for an observation that is newer than the last probe', () => {
    expect(judge({ contact: reached('web1', running(A), 1_500) })).toMatchObject({ kind: 'probe' });
  });

  it('does not probe for an observation that changes nothing', () => {
    expect(judge({ contact: reached('web1', running(B), 1_500) })).toMatchObject({ kind: 'in-sync' });
  });

  it('probes again after an outcome, before the next decision', () => {
    const ended = anOutcome(aDeployment({ toplevel: B }), { at: 9_950 });
    expect(judge({ facts: [...aThenB, ended] })).toMatchObject({ kind: 'probe' });
  });

  it('treats an unreachable host as a state, with the time of the next try', () => {
    const verdict = judge({
      contact: {
        kind: 'unreachable',
        host: host('web1'),
        incarnation,
        askedAt: 9_500,
        at: 9_600,
        since: 5_000,
        attempts: 3,
        failure: aFailure({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'no answer' }),
      },
    });
    expect(verdict).toMatchObject({ kind: 'unreachable', code: 'HOST_UNREACHABLE', until: 17_500 });
  });

  it('leaves a host without an owner alone until it is adopted', () => {
    const report = running(A, { owner: undefined });
    expect(judge({ report })).toMatchObject({ kind: 'unmanaged' });
    const auto = wanting(2, 'B', aFleet([aSpec('web1')], { adopt: 'auto' }), { web1: 'B' });
    expect(judge({ report, desired: auto })).toMatchObject({ kind: 'probe', waitsFor: 'adoption' });
    const asked: Fact = { kind: 'adopt-asked', at: 0, host: host('web1'), by: 'ada', takeover: false };
    expect(judge({ report, facts: [...aThenB, asked] })).toMatchObject({ kind: 'probe' });
  });

  it('is stalled on a host of another owner, and only a takeover goes on', () => {
    const report = running(A, { owner: 'someone else' });
    expect(judge({ report })).toMatchObject({ kind: 'stalled', code: 'OWNED_BY' });
    const plain: Fact = { kind: 'adopt-asked', at: 0, host: host('web1'), by: 'ada', takeover: false };
    expect(judge({ report, facts: [...aThenB, plain] })).toMatchObject({ kind: 'stalled' });
    const takeover: Fact = { ...plain, takeover: true };
    expect(judge({ report, facts: [...aThenB, takeover] })).toMatchObject({ kind: 'probe' });
  });

  it('never interrupts an activation, whatever is wanted by now', () => {
    const live = [aDeployment({ phase: 'confirming', toplevel: toplevel('C') })];
    expect(judge({ live })).toMatchObject({ kind: 'wait', waitsFor: 'activation' });
    expect(judge({ live, desired: wanting(2, 'B', aFleet([aSpec('db1')]), {}) })).toMatchObject({
      kind: 'wait',
    });
    const hold: Fact = {
      kind: 'hold',
      at: 0,
      scope: { kind: 'host', host: host('web1') },
      by: 'ada',
      reason: 'x',
      until: undefined,
    };
    expect(judge({ live, facts: [...aThenB, hold] })).toMatchObject({ kind: 'wait' });
  });

  it('does not say that a host is held which has yet to go back, while nobody knows the repository', () => {
    const said = { at: 10, by: 'ada', reason: 'it is on fire' };
    const web1 = host('web1');
    const to = { toplevel: A, drvPath: undefined, observation: 1 };
    const facts: Fact[] = [
      ...aThenB,
      { ...said, kind: 'hold', scope: { kind: 'host', host: web1 }, until: undefined },
      { ...said, kind: 'pin', host: web1, cause: 'person', to, from: B },
    ];
    const desired: Desired = { kind: 'unknown', reason: 'it is being read' };
    const judged = (current: typeof A) => judge({ facts, desired, report: running(current) })?.kind;
    expect(judged(B)).toBe('wait');
    expect(judged(A)).toBe('held');
  });

  it('asks a host first whether an activation that another leadership began is under way', () => {
    const live = [aDeployment({ phase: 'activating', toplevel: B })];
    expect(judge({ live, contact: 'none' })).toMatchObject({ kind: 'probe', deployment: live[0]?.id });
    // It is asked again and again as long as it is not known what is wanted: it may begin only then.
    const epoch: Fact = { kind: 'epoch', at: 1, epoch: 99, leader: 'b' };
    const unknown: Desired = { kind: 'unknown', reason: 'it is being read' };
    expect(judge({ live, facts: [...aThenB, epoch], desired: unknown })).toMatchObject({
      kind: 'wait',
      waitsFor: 'recovery',
      until: 10_400,
    });
    expect(judge({ live, facts: [...aThenB, epoch] })).toMatchObject({ waitsFor: 'activation' });
    // From `confirming` on it is known to be, and somebody has to confirm it in time.
    expect(judge({ live: [aDeployment({ phase: 'confirming' })], contact: 'none' })).toMatchObject({
      kind: 'wait',
      waitsFor: 'activation',
    });
  });

  const evaluatingC: Desired = {
    kind: 'evaluating',
    observation: anObservation(3, 'C'),
    fleet,
    setback: undefined,
  };

  it('supersedes an activation that waits in the queue as soon as something newer is being evaluated', () => {
    const queued = aDeployment({ phase: 'delivered', toplevel: B, observation: 2 });
    const facts = [...aThenB, intentOf(queued, 9_000)];
    expect(judge({ live: [queued], facts, desired: evaluatingC })).toMatchObject({
      kind: 'superseded',
      deployment: queued.id,
    });
    // Nothing of it is queued: the delivery may be what the newer one wants as well.
    expect(judge({ live: [queued], desired: evaluatingC })).toMatchObject({
      kind: 'wait',
      waitsFor: 'evaluation',
    });
    // Of an earlier leadership: the host may have begun it, and is asked.
    const epoch: Fact = { kind: 'epoch', at: 1, epoch: queued.token.epoch + 1, leader: 'b' };
    expect(judge({ live: [queued], facts: [...facts, epoch], desired: evaluatingC })).toMatchObject({
      kind: 'wait',
      waitsFor: 'recovery',
    });
  });

  it('says why an evaluation has yet to succeed, and when it is tried again', () => {
    const failure = aFailure({ code: 'EVALUATION_LIMIT', message: 'an input could not be fetched' });
    const desired: Desired = { ...evaluatingC, setback: { failure, until: 15_000 } };
    expect(judge({ desired })).toMatchObject({
      kind: 'wait',
      waitsFor: 'back-off',
      until: 15_000,
      code: 'EVALUATION_LIMIT',
      reason: expect.stringContaining('an input could not be fetched'),
    });
    const discovered: Desired = {
      ...desired,
      fleet: { ...fleet, hosts: { kind: 'discovered', defaults: aSpec('web1') } },
    };
    expect(judge({ desired: discovered })).toMatchObject({ waitsFor: 'back-off', until: 15_000 });
  });

  it('goes on with a host that had no owner once it was adopted', () => {
    const refused = anOutcome(aDeployment({ toplevel: B }), {
      phase: 'failed',
      failure: aFailure({ code: 'UNMANAGED', disposition: 'stalled' }),
    });
    expect(judge({ facts: [...aThenB, refused], now: 30_000 })).toMatchObject({ kind: 'deliver' });
  });

  it('supersedes a delivery of something else, and goes on with one of the same', () => {
    const other = aDeployment({ phase: 'delivering', toplevel: toplevel('C') });
    expect(judge({ live: [other] })).toMatchObject({ kind: 'superseded' });
    const same = aDeployment({ phase: 'delivering', toplevel: B, observation: 1 });
    expect(judge({ live: [same] })).toMatchObject({ kind: 'deliver', deployment: same.id });
    expect(judge({ live: [{ ...same, phase: 'delivered' }] })).toMatchObject({ kind: 'activate' });
  });

  it('goes on with a delivery whose checks came back from the store with their fields in another order', () => {
    const checks = resolveCheck({ http: { port: 8080, path: '/health' } }, '192.0.2.2');
    const stored = checks.map((check) => Check.parse(check));
    expect(JSON.stringify(stored)).not.toBe(JSON.stringify(checks));
    const desired = wanting(2, 'B', aFleet([aSpec('web1', { checks })]), { web1: 'B' });
    const live = aDeployment({ phase: 'delivering', toplevel: B, checks: stored });
    expect(judge({ desired, live: [live] })).toMatchObject({ kind: 'deliver', deployment: live.id });
  });

  it('holds what is held until the hold ends', () => {
    const hold: Fact = {
      kind: 'hold',
      at: 0,
      scope: { kind: 'host', host: host('web1') },
      by: 'ada',
      reason: 'demo day',
      until: 11_000,
    };
    expect(judge({ facts: [...aThenB, hold] })).toMatchObject({ kind: 'held', until: 11_000 });
    expect(judge({ facts: [...aThenB, hold], now: 11_001 })).toMatchObject({ kind: 'deliver' });
    const lifted: Fact = {
      kind: 'hold-lifted',
      at: 1,
      scope: { kind: 'host', host: host('web1') },
      by: 'ada',
    };
    expect(judge({ facts: [...aThenB, hold, lifted] })).toMatchObject({ kind: 'deliver' });
  });

  it('never touches a host that the repository does not name any more', () => {
    const desired = wanting(2, 'B', aFleet([aSpec('db1')]), { db1: 'B' });
    expect(judge({ desired })).toMatchObject({ kind: 'orphaned' });
  });

  it('keeps every host as it is while an observation is blocked', () => {
    const desired: Desired = {
      kind: 'blocked',
      observation: anObservation(2, 'B'),
      fleet: undefined,
      failure: aFailure({ code: 'NO_HOSTS', message: 'it names no host at all' }),
    };
    expect(judge({ desired })).toMatchObject({ kind: 'stalled', code: 'NO_HOSTS' });
  });

  it('waits while something is under way on the host that the store does not know', () => {
    const record = {
      deployment: parseDeploymentId('d0unknown'),
      token: { epoch: 1, counter: 1 },
      toplevel: B,
      previous: A,
      bootId: 'boot-1',
      end: undefined,
    };
    expect(judge({ report: running(A, { records: [record] }) })).toMatchObject({
      kind: 'wait',
      waitsFor: 'recovery',
    });
    expect(judge({ report: running(A, { locked: true }) })).toMatchObject({ kind: 'wait', waitsFor: 'lock' });
  });

  it('judges each mode by its own measure', () => {
    const inMode = (mode: 'boot' | 'test' | 'dry-activate', report: ProbeReport, facts = aThenB) =>
      judge({ desired: wanting(2, 'B', aFleet([aSpec('web1', { mode })]), { web1: 'B' }), report, facts });
    expect(inMode('boot', aReport({ current: A, booted: A, profile: B, bootDefault: B }))).toMatchObject({
      kind: 'wait',
      waitsFor: 'reboot',
    });
    expect(inMode('boot', running(B))).toMatchObject({ kind: 'in-sync' });
    expect(inMode('test', aReport({ current: B, booted: A, profile: A, bootDefault: A }))).toMatchObject({
      kind: 'in-sync',
    });
    const dry = anOutcome(aDeployment({ toplevel: B, mode: 'dry-activate' }));
    expect(inMode('dry-activate', running(A), [...aThenB, dry])).toMatchObject({ kind: 'in-sync' });
    expect(inMode('dry-activate', running(A))).toMatchObject({ kind: 'deliver' });
  });

  it('gives every host exactly one verdict, in the order of their names, with the time of the next pass', () => {
    const many = aFleet(['c', 'a', 'b'].map((name) => aSpec(name)));
    const result = plan(
      wanting(1, 'A', many, { a: 'A', b: 'A', c: 'A' }),
      { incarnation, memory: remembering(observed(1, 'A')), contacts: new Map(), deployments: [] },
      patience,
      10_000,
    );
    expect(result.verdicts.map((verdict) => verdict.host)).toEqual(['a', 'b', 'c']);
    expect(result.requeueAt).toBeUndefined();
  });
});
