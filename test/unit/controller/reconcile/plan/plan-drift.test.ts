import { describe, expect, it } from 'vitest';
import type { Systems } from '../../../../../shared/domain/contact.ts';
import type { Drift } from '../../../../../shared/domain/drift.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import {
  aDeployment,
  aFleet,
  anOutcome,
  aReport,
  aSpec,
  host,
  wanting,
} from '../../../../support/builders.ts';
import { A, B, aThenB, judge } from '../../../../support/judged.ts';

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
});
