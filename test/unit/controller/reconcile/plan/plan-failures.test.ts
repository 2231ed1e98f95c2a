import { describe, expect, it } from 'vitest';
import type { HostContact } from '../../../../../shared/domain/contact.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  aCheck,
  aDeployment,
  aFailure,
  aFleet,
  anOutcome,
  aSpec,
  drv,
  host,
  observed,
  reached,
  released,
  running,
  wanting,
} from '../../../../support/builders.ts';
import { fleet, A, B, aThenB, judge } from '../../../../support/judged.ts';

describe('what failed', () => {
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
});
