import { describe, expect, it } from 'vitest';

import { probeTarget } from '../../../../../controller/reconcile/plan/probe-target.ts';
import type { ProbeTarget } from '../../../../../shared/domain/contact.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import type { Deployment, Phase } from '../../../../../shared/domain/deployment.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import type { Fleet, HostSpec } from '../../../../../shared/domain/fleet.ts';
import {
  aCheck,
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  anOutcome,
  aSpec,
  host,
  owner,
  reached,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const web1 = host('web1');
const generations = [3, 2, 1].map((number) => ({ number, toplevel: toplevel(number === 3 ? 'A' : 'B') }));
/** Midnight in UTC. */
const now = Date.UTC(2026, 0, 2);

/** A host on `A` that has two generations of `B` too many. */
function target(
  spec: Partial<HostSpec>,
  fleet: Partial<Fleet> = {},
  facts: readonly Fact[] = [],
): ProbeTarget | undefined {
  const retention = { keep: 1, collectGarbage: false };
  const desired = wanting(1, 'A', aFleet([aSpec('web1', { retention, ...spec })], fleet), { web1: 'A' });
  const report = running(toplevel('A'), { profileGeneration: 3, generations });
  return probeTarget(web1, {
    desired,
    memory: remembering(adopted('web1', toplevel('A')), ...facts),
    snapshot: { contacts: new Map([[web1, reached('web1', report, now - 1)]]) },
    verdicts: new Map([
      [
        web1,
        {
          host: web1,
          kind: 'in-sync',
          reason: 'it runs what is wanted',
          waitsFor: undefined,
          until: undefined,
          toplevel: toplevel('A'),
          deployment: undefined,
          code: undefined,
        },
      ],
    ]),
    fences: new Map(),
    now,
  });
}

describe('what a probe is to do', () => {
  const window = { schedule: '0 0 * * *', durationMs: 3_600_000, timeZone: 'UTC' };
  const freeze = {
    from: now - 1,
    until: now + 1,
    reason: 'holidays',
    author: 'ada',
    scope: { kind: 'fleet' } as const,
  };

  it('names what the host must not lose, and what is to go', () => {
    expect(target({})).toMatchObject({
      retain: { owner, toplevels: [toplevel('A')], keep: 1 },
      tidy: { profile: toplevel('A'), generation: 3, generations: [1, 2] },
    });
  });

  it('asks what comes before an activation of a host that was left alone for it, and of no other', () => {
    const before = aCheck({ kind: 'worker', name: 'quarantined' }, { before: true });
    const after = aCheck({ kind: 'tcp', port: 80 });
    const unready = anOutcome(aDeployment({ toplevel: toplevel('B') }), {
      phase: 'failed',
      at: 1,
      failure: aFailure({ code: 'NOT_READY', disposition: 'transient' }),
    });
    const asked = (letter: string, ...facts: readonly Fact[]) =>
      probeTarget(web1, {
        desired: wanting(1, letter, aFleet([aSpec('web1', { checks: [before, after] })]), { web1: letter }),
        memory: remembering(adopted('web1', toplevel('A')), ...facts),
        snapshot: { contacts: new Map() },
        verdicts: new Map(),
        fences: new Map(),
        now,
      });
    expect(asked('B', unready)).toMatchObject({ checks: [after], ready: [before] });
    expect(asked('B')).not.toHaveProperty('ready');
    expect(asked('C', unready)).not.toHaveProperty('ready');
  });

  it('says what the host should be by what was confirmed there last, and by no more', () => {
    const [A, B] = [toplevel('A'), toplevel('B')];
    const after = (change: Partial<Deployment>, phase: Phase = 'succeeded') =>
      target({}, {}, [anOutcome(aDeployment({ toplevel: B, ...change }), { phase })])?.expected;
    expect(target({})?.expected).toEqual({ runs: A, boots: undefined });
    expect(after({})).toEqual({ runs: B, boots: B });
    expect(after({ toplevel: A, mode: 'test' })).toEqual({ runs: A, boots: undefined });
    expect(after({ mode: 'boot' }, 'awaiting-reboot')).toEqual({ runs: undefined, boots: B });
    expect(after({}, 'awaiting-reboot')).toEqual({ runs: undefined, boots: B });
    expect(after({}, 'stuck')).toBeUndefined();
  });

  it('says that a host which was rebooted in vain should be what it was booted with, and waits for nothing', () => {
    const [B, C] = [toplevel('B'), toplevel('C')];
    const ended = (id: string, change: Partial<Deployment>, outcome: Parameters<typeof anOutcome>[1]) =>
      anOutcome(aDeployment({ id: parseDeploymentId(id), ...change }), outcome);
    const facts = [
      ended('d000001', { toplevel: B }, { phase: 'awaiting-reboot' }),
      ended('d000002', { toplevel: C }, { phase: 'awaiting-reboot', previous: B }),
      ended('d000003', { toplevel: C, action: 'reboot' }, { phase: 'unconfirmed', previous: B }),
    ];
    expect(target({}, {}, facts)?.expected).toEqual({ runs: B, boots: B });
  });

  it('takes nothing from the host while its windows or a freeze keep activations from starting', () => {
    expect(target({ windows: [{ kind: 'allow', ...window }] })?.tidy).toBeDefined();
    expect(target({ windows: [{ kind: 'deny', ...window }] })?.tidy).toBeUndefined();
    expect(target({}, { freezes: [freeze] })?.tidy).toBeUndefined();
    expect(target({}, { freezes: [freeze] })?.retain).toBeDefined();
  });
});
