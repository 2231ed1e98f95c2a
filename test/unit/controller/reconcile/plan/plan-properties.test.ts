import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import type { Observed } from '../../../../../controller/reconcile/plan/plan-input.ts';
import { dueProbes } from '../../../../../controller/reconcile/plan/probes.ts';
import { activePhases } from '../../../../../shared/domain/deployment.ts';
import {
  fleetState,
  type HostState,
  hostState,
  named,
  now,
  patience,
  situation,
} from '../../../../support/any-fleet.ts';
import { incarnation, owner } from '../../../../support/builders.ts';

function verdicts(states: readonly HostState[]) {
  const { desired, observed: seen } = situation(states);
  return plan(desired, seen, patience, now).verdicts;
}

const acting: readonly string[] = ['deliver', 'activate', 'finalise'];

describe('plan, whatever the fleet is like', () => {
  it('gives every wanted host exactly one verdict', () => {
    fc.assert(
      fc.property(fleetState, (states) => {
        expect(verdicts(states).map((verdict) => verdict.host)).toEqual(
          states.map((_, i) => named(i)).sort(),
        );
      }),
    );
  });

  it('does not depend on the order in which hosts, contacts and deployments come', () => {
    fc.assert(
      fc.property(fleetState, (states) => {
        const { desired, observed: seen } = situation(states);
        const turned: Observed = {
          ...seen,
          contacts: new Map([...seen.contacts].toReversed()),
          deployments: seen.deployments.toReversed(),
        };
        expect(plan(desired, turned, patience, now)).toEqual(plan(desired, seen, patience, now));
      }),
    );
  });

  it('judges a host by itself: no other host changes its verdict', () => {
    fc.assert(
      fc.property(fleetState, (states) => {
        const [first] = states;
        if (first === undefined) return;
        expect(verdicts(states).find((verdict) => verdict.host === named(0))).toEqual(verdicts([first])[0]);
      }),
    );
  });

  it('acts only on hosts that were probed in this life, are its own, not held, not locked, and not being activated', () => {
    fc.assert(
      fc.property(hostState, (state) => {
        const [verdict] = verdicts([state]);
        if (verdict === undefined || !acting.includes(verdict.kind)) return;
        expect(state.contact === 'reached' || state.contact === 'before the observation').toBe(true);
        expect(state).toMatchObject({ owner, held: false, locked: false, adopted: true });
        expect(state.live !== undefined && activePhases.has(state.live.phase)).toBe(false);
      }),
    );
  });

  it('never tries what is remembered as failed, and never starts anything on an older probe', () => {
    fc.assert(
      fc.property(hostState, (state) => {
        const [verdict] = verdicts([state]);
        if (verdict === undefined || !acting.includes(verdict.kind)) return;
        expect(state.failed === state.wanted && state.confirmed !== state.wanted).toBe(false);
        expect(state.failedBuild).toBe(false);
        if (verdict.deployment === undefined) expect(state.contact).toBe('reached');
      }),
    );
  });

  it('probes every host at once that was last asked before people wanted to see it, but for activations', () => {
    fc.assert(
      fc.property(fleetState, (states) => {
        const { desired, observed: seen } = situation(states);
        const { verdicts: all } = plan(desired, seen, patience, now);
        const present = new Map([...seen.contacts].filter(([, { incarnation: of }]) => of === incarnation));
        const due = dueProbes(all, present, patience, now, now + 1);
        const left = all.filter(({ host }) => !due.hosts.includes(host));
        for (const { kind, waitsFor } of left) {
          expect(kind === 'orphaned' || waitsFor === 'activation').toBe(true);
        }
        // What was asked since then is an answer: it is not asked again for that.
        const before = dueProbes(all, present, patience, now);
        expect(dueProbes(all, present, patience, now, 0)).toEqual(before);
      }),
    );
  });

  it('says of every host that does not act when it is looked at again, or what it waits for', () => {
    fc.assert(
      fc.property(fleetState, (states) => {
        const { desired, observed: seen } = situation(states);
        const { verdicts: all } = plan(desired, seen, patience, now);
        const present = new Map([...seen.contacts].filter(([, { incarnation: of }]) => of === incarnation));
        const due = dueProbes(all, present, patience, now);
        for (const verdict of all) {
          expect(verdict.reason).not.toBe('');
          const waits = verdict.waitsFor !== undefined || verdict.until !== undefined;
          const probed = due.hosts.includes(verdict.host) || due.requeueAt !== undefined;
          expect(waits || probed || acting.includes(verdict.kind) || verdict.kind === 'superseded').toBe(
            true,
          );
        }
      }),
    );
  });
});
