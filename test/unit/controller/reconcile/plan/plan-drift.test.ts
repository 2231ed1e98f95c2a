import { describe, expect, it } from 'vitest';
import type { ProbeReport, Systems } from '../../../../../shared/domain/contact.ts';
import type { Drift } from '../../../../../shared/domain/drift.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import type { Mode } from '../../../../../shared/domain/fleet.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  anOutcome,
  aReport,
  aSpec,
  host,
  observed,
  released,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';
import { A, B, aThenB, fleet, judge } from '../../../../support/judged.ts';

describe('drift', () => {
  it('is told as far as the host can tell, and that is the reason of what heals it', () => {
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

  it('is reported and not healed, until someone who has seen it asks for a retry', () => {
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

  it('is told from a new mode for the same system, and is no less drift for it', () => {
    const confirmed = (mode: Mode) => [
      ...aThenB,
      anOutcome(aDeployment({ toplevel: B, mode }), { at: 3_000 }),
    ];
    const inMode = (mode: Mode, facts: readonly Fact[], report: ProbeReport) =>
      judge({ desired: wanting(2, 'B', aFleet([aSpec('web1', { mode })]), { web1: 'B' }), facts, report });
    const switched = running(toplevel('C'));
    expect(inMode('boot', confirmed('switch'), switched)).toMatchObject({ code: 'DRIFTED' });
    expect(inMode('switch', confirmed('boot'), switched)).toMatchObject({ code: 'DRIFTED' });
    // Set for the boot, booted by hand, switched to something else.
    const previous = A;
    const forBoot = anOutcome(aDeployment({ toplevel: B, mode: 'boot' }), {
      at: 3_000,
      phase: 'awaiting-reboot',
      previous,
    });
    const booted = running(toplevel('C'), { booted: B });
    expect(inMode('switch', [...aThenB, forBoot], booted)).toMatchObject({ code: 'DRIFTED' });
    // What was only tested has yet to be made lasting.
    expect(inMode('switch', confirmed('test'), switched)).toMatchObject({ kind: 'deliver' });
  });

  it('is that of a host, too, that ran what is wanted when it was adopted', () => {
    const desired = wanting(1, 'A', fleet, { web1: 'A' });
    const facts = [adopted('web1', A), observed(1, 'A'), released('A', { web1: 'A' })];
    const switched = running(toplevel('C'), { booted: A });
    expect(judge({ desired, facts, report: switched })).toMatchObject({ code: 'DRIFTED' });
    // A reboot may have ended what nobody had made lasting.
    expect(judge({ desired, facts, report: running(toplevel('C')) })).toMatchObject({ kind: 'deliver' });
    // That it boots by itself has yet to be seen to.
    const report = aReport({ current: A, booted: A, profile: B, bootDefault: B });
    expect(judge({ desired, facts, report })).toMatchObject({ kind: 'finalise' });
  });

  it('is not overwritten by what is tried again for another one that was seen', () => {
    const seen = { current: A, profile: A, bootDefault: A };
    const lost = anOutcome(aDeployment({ id: parseDeploymentId('d00000a'), toplevel: B }), {
      phase: 'failed',
      at: 5_000,
      failure: aFailure({ code: 'PUSH_FAILED', disposition: 'transient' }),
    });
    const facts: Fact[] = [
      ...aThenB,
      anOutcome(aDeployment({ toplevel: B }), { at: 3_000 }),
      { kind: 'retry', at: 4_000, host: host('web1'), by: 'ada', drift: seen },
      lost,
    ];
    expect(judge({ facts })).toMatchObject({ kind: 'deliver' });
    expect(judge({ facts, report: running(toplevel('D')) })).toMatchObject({ code: 'DRIFTED' });
  });
});
