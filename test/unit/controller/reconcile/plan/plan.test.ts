import { describe, expect, it } from 'vitest';
import { intentOf } from '../../../../../controller/reconcile/plan/aim.ts';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import type { Patience } from '../../../../../controller/reconcile/plan/plan-input.ts';
import { Check } from '../../../../../shared/contracts/domain.ts';
import { resolveCheck } from '../../../../../shared/contracts/manifest-check.ts';
import type { HostContact, ProbeReport, Systems } from '../../../../../shared/domain/contact.ts';
import type { Drift } from '../../../../../shared/domain/drift.ts';
import type { Deployment } from '../../../../../shared/domain/deployment.ts';
import type { Desired } from '../../../../../shared/domain/desired.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import type { Verdict } from '../../../../../shared/domain/verdict.ts';
import {
  aCheck,
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  anObservation,
  anOutcome,
  aReport,
  aSpec,
  drv,
  host,
  incarnation,
  observed,
  reached,
  released,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const patience: Patience = {
  probeEveryMs: 300_000,
  backOffMs: 1_000,
  longestBackOffMs: 60_000,
  lookAgainMs: 500,
};

interface Case {
  readonly desired?: Desired;
  readonly facts?: readonly Fact[];
  readonly contact?: HostContact | 'none';
  readonly report?: ProbeReport;
  readonly live?: readonly Deployment[];
  readonly now?: number;
}

const fleet = aFleet([aSpec('web1')]);
const A = toplevel('A');
const B = toplevel('B');
/** A was deployed and confirmed by observation 1; observation 2 wants B. */
const aThenB: readonly Fact[] = [
  adopted('web1', A),
  observed(1, 'A'),
  released('A', { web1: 'A' }),
  observed(2, 'B'),
  released('B', { web1: 'B' }),
];
const wantsB = wanting(2, 'B', fleet, { web1: 'B' });

/** The verdict on web1: by default it is managed, was just probed, runs A, and B is wanted. */
function judge(given: Case): Verdict | undefined {
  const now = given.now ?? 10_000;
  const contact = given.contact ?? reached('web1', given.report ?? running(A), now - 100);
  const { verdicts } = plan(
    given.desired ?? wantsB,
    {
      incarnation,
      memory: remembering(...(given.facts ?? aThenB)),
      contacts: contact === 'none' ? new Map() : new Map([[contact.host, contact]]),
      deployments: given.live ?? [],
    },
    patience,
    now,
  );
  return verdicts.find((verdict) => verdict.host === 'web1');
}

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

  it('does not try a toplevel again that failed here, until another one was wanted', () => {
    const failed = anOutcome(aDeployment({ toplevel: B, drvPath: drv('B') }), {
      phase: 'rolled-back',
      failure: aFailure(),
      evidence: true,
    });
    expect(judge({ facts: [...aThenB, failed] })).toMatchObject({
      kind: 'stalled',
      code: 'ACTIVATION_FAILED',
    });
    const backToB = [observed(3, 'C'), released('C', { web1: 'C' }), observed(4, 'B')];
    expect(judge({ facts: [...aThenB, failed, ...backToB] })).toMatchObject({ kind: 'deliver' });
    const retry: Fact = { kind: 'retry', at: 1, host: host('web1'), by: 'ada', drift: undefined };
    expect(judge({ facts: [...aThenB, failed, retry] })).toMatchObject({ kind: 'deliver' });
  });

  it('keeps remembering a failure under an unrelated commit', () => {
    const failed = anOutcome(aDeployment({ toplevel: B }), {
      phase: 'rolled-back',
      failure: aFailure(),
      evidence: true,
    });
    const facts = [...aThenB, failed, observed(3, 'B2'), released('B2', { web1: 'B' })];
    expect(judge({ facts, desired: wanting(3, 'B2', fleet, { web1: 'B' }) })).toMatchObject({
      kind: 'stalled',
    });
  });

  it('does not build a derivation again whose build failed', () => {
    const failed = anOutcome(aDeployment({ toplevel: B, drvPath: drv('B') }), {
      phase: 'failed',
      failure: aFailure({ code: 'BUILD_FAILED' }),
    });
    expect(judge({ facts: [...aThenB, failed] })).toMatchObject({ kind: 'stalled', code: 'BUILD_FAILED' });
  });

  it('waits longer after each passing setback, then tries again', () => {
    const setback = (at: number, id: string) =>
      anOutcome(aDeployment({ id: parseDeploymentId(id), toplevel: B }), {
        phase: 'failed',
        at,
        failure: aFailure({ code: 'PUSH_FAILED', disposition: 'transient' }),
      });
    const twice = [...aThenB, setback(8_000, 'd00000a'), setback(9_000, 'd00000b')];
    expect(judge({ facts: twice })).toMatchObject({ kind: 'wait', waitsFor: 'back-off', until: 11_000 });
    expect(judge({ facts: twice, now: 11_001 })).toMatchObject({ kind: 'deliver' });
  });

  describe('of a host that a check left alone before its activation', () => {
    const unready = (at: number, id: string) =>
      anOutcome(aDeployment({ id: parseDeploymentId(id), toplevel: B }), {
        phase: 'failed',
        at,
        failure: aFailure({ code: 'NOT_READY', disposition: 'transient', message: 'it is quarantined' }),
      });
    const twice = [...aThenB, unready(8_000, 'd00000a'), unready(9_000, 'd00000b')];
    const asksBefore = aCheck({ kind: 'worker', name: 'quarantined' }, { before: true });
    const desired = wanting(2, 'B', aFleet([aSpec('web1', { checks: [asksBefore] })]), { web1: 'B' });
    const asked = (askedAt: number, problem?: string): HostContact => ({
      ...reached('web1', running(A), askedAt),
      readiness: { problem },
    });

    it('waits for the check', () => {
      expect(judge({ facts: twice, desired })).toMatchObject({
        kind: 'wait',
        waitsFor: 'check',
        until: 11_000,
        code: 'NOT_READY',
        reason: 'left alone: it is quarantined',
      });
    });

    it('makes no other deployment before a probe has found the host ready', () => {
      const at = (now: number, contact?: HostContact) =>
        judge({ facts: twice, desired, now, ...(contact === undefined ? {} : { contact }) });
      expect(at(11_001)).toMatchObject({ kind: 'wait', waitsFor: 'check' });
      expect(at(11_010, asked(11_001, 'still in service'))).toMatchObject({
        kind: 'wait',
        waitsFor: 'check',
        until: 13_002,
        reason: 'left alone: still in service',
      });
      expect(at(11_010, asked(11_001))).toMatchObject({ kind: 'deliver' });
      // Also where it was delivered, and a check says no by now.
      const live = [aDeployment({ observation: 2, toplevel: B, phase: 'delivered', checks: [asksBefore] })];
      expect(judge({ facts: twice, desired, now: 11_010, contact: asked(11_001), live })).toMatchObject({
        kind: 'activate',
      });
      expect(judge({ facts: twice, desired, now: 11_010, contact: asked(11_001, 'no'), live })).toMatchObject(
        {
          kind: 'wait',
        },
      );
    });

    it('asks again after twice as long each time, and at least as often as the longest pause says', () => {
      let [now, asks] = [11_000, 0];
      const pauses: number[] = [];
      while ((asks += 1) < 10) {
        const until = judge({ facts: twice, desired, now, contact: asked(now, 'quarantined') })?.until ?? 0;
        pauses.push(until - now);
        now = until;
      }
      expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * 1_000));
    });

    it('does not ask without a pause a host whose probes bring no answer', () => {
      const contact = reached('web1', running(A), 11_001);
      expect(judge({ facts: twice, desired, now: 11_010, contact })).toMatchObject({
        kind: 'wait',
        waitsFor: 'check',
        until: 11_501,
      });
    });

    it('tries by itself where there is nothing to ask: a hook said no, or the check is gone', () => {
      expect(judge({ facts: twice })).toMatchObject({ kind: 'wait', waitsFor: 'check', until: 11_000 });
      expect(judge({ facts: twice, now: 11_001 })).toMatchObject({ kind: 'deliver' });
    });

    it('does not wait when a person wants it to be tried', () => {
      const retry: Fact = { kind: 'retry', at: 9_500, host: host('web1'), by: 'ada', drift: undefined };
      expect(judge({ facts: [...twice, retry], desired })).toMatchObject({ kind: 'deliver' });
    });
  });

  it('waits for a person or a commit where no waiting helps, and tries again where it may', () => {
    const failing = (code: 'RELEASE_MISMATCH' | 'HOST_KEY_MISMATCH') =>
      anOutcome(aDeployment({ toplevel: B }), { phase: 'failed', at: 1_000, failure: aFailure({ code }) });
    expect(judge({ facts: [...aThenB, failing('RELEASE_MISMATCH')] })).toMatchObject({ kind: 'stalled' });
    expect(judge({ facts: [...aThenB, failing('HOST_KEY_MISMATCH')] })).toMatchObject({ kind: 'deliver' });
  });

  it('gives up after two activations that nobody confirmed', () => {
    const unconfirmed = (id: string) =>
      anOutcome(aDeployment({ id: parseDeploymentId(id), toplevel: B }), {
        phase: 'unconfirmed',
        at: 1_000,
        failure: aFailure({ code: 'UNCONFIRMED', disposition: 'transient' }),
      });
    expect(judge({ facts: [...aThenB, unconfirmed('d00000a')] })).toMatchObject({ kind: 'deliver' });
    expect(judge({ facts: [...aThenB, unconfirmed('d00000a'), unconfirmed('d00000b')] })).toMatchObject({
      kind: 'stalled',
      code: 'UNCONFIRMED',
    });
  });

  it('says of drift what the host can tell of it, and keeps that as the reason of what heals it', () => {
    const confirmedB = anOutcome(aDeployment({ toplevel: B }), { at: 3_000 });
    const drift: Drift = {
      kind: 'profile',
      generation: 7,
      at: Date.UTC(2026, 10, 26, 3, 18),
      sightings: [{ kind: 'sudo', user: 'ada', command: 'nixos-rebuild switch', at: 0 }],
    };
    const report = aReport({ current: A, profile: A, bootDefault: A, drift });
    const said =
      'something else (profile generation 7 was set on 26 November 2026 03:18 UTC; ada ran sudo nixos-rebuild switch)';
    const facts = [...aThenB, confirmedB];
    const healing = wanting(2, 'B', aFleet([aSpec('web1', { drift: 'heal' })]), { web1: 'B' });
    expect(judge({ facts, report })?.reason).toContain(said);
    expect(judge({ facts, report, desired: healing })).toMatchObject({
      kind: 'deliver',
      reason: expect.stringContaining(said),
    });
  });

  it('reports drift and does not heal it, until someone who has seen it asks for a retry', () => {
    const confirmedB = anOutcome(aDeployment({ toplevel: B }), { at: 3_000 });
    expect(judge({ facts: [...aThenB, confirmedB] })).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
    const profileOnly = aReport({ current: B, booted: B, profile: A, bootDefault: A });
    expect(judge({ facts: [...aThenB, confirmedB], report: profileOnly })).toMatchObject({ code: 'DRIFTED' });
    const retryOf = (drift: Systems | undefined): Fact => ({
      kind: 'retry',
      at: 4_000,
      host: host('web1'),
      by: 'ada',
      drift,
    });
    const seen = { current: A, profile: A, bootDefault: A };
    expect(judge({ facts: [...aThenB, confirmedB, retryOf(seen)] })).toMatchObject({ kind: 'deliver' });
    // What drifted later was not seen by who asked, and may be somebody's emergency repair.
    const later = { facts: [...aThenB, confirmedB, retryOf(seen)], report: profileOnly };
    expect(judge(later)).toMatchObject({ code: 'DRIFTED' });
    expect(judge({ facts: [...aThenB, confirmedB, retryOf(undefined)] })).toMatchObject({ code: 'DRIFTED' });
    const everyHost: Fact = { kind: 'retry', at: 4_000, host: undefined, by: 'ada', drift: undefined };
    expect(judge({ facts: [...aThenB, confirmedB, everyHost] })).toMatchObject({ code: 'DRIFTED' });
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
