import fc from 'fast-check';
import { expect, it } from 'vitest';
import { newDeployment } from '../../../../../controller/reconcile/plan/aim.ts';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import type { Observed } from '../../../../../controller/reconcile/plan/plan-input.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { plainHost } from '../../../../../shared/domain/fleet.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  factsOf,
  hostState,
  type HostState,
  letters,
  named,
  now,
  patience,
  report,
  situation,
} from '../../../../support/any-fleet.ts';
import {
  aCheck,
  aFleet,
  aSpec,
  drv,
  host,
  observed,
  owner,
  reached,
  released,
  remembering,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

/** A person has the host return to a system, and stay there. */
function pinOf(name: string, letter: string): readonly Fact[] {
  const said = { at: 5, by: 'ada', reason: 'it is on fire' };
  const to = { toplevel: toplevel(letter, name), drvPath: drv(letter, name), observation: 1 };
  return [
    { ...said, kind: 'hold', scope: { kind: 'host', host: host(name) }, until: undefined },
    { ...said, kind: 'pin', host: host(name), cause: 'person', to, from: undefined },
  ];
}

it('the plan never supersedes what it has just ordered: another delivery at once needs something else to be wanted', () => {
  const specs = fc.record({
    mode: fc.constantFrom('switch', 'boot', 'test', 'dry-activate'),
    drift: fc.constantFrom('report', 'heal'),
    checks: fc.constantFrom([], [aCheck({ kind: 'tcp', port: 80 })]),
    reboot: fc.constantFrom(plainHost.reboot, { ...plainHost.reboot, when: 'after-deploy' as const }),
  });
  const pinnedTo = fc.option(letters, { nil: undefined });
  let ordered = 0;
  fc.assert(
    fc.property(hostState, specs, pinnedTo, fc.boolean(), (given, spec, pinned, rebootDue) => {
      const state: HostState = { ...given, contact: 'reached', owner, adopted: true, live: undefined };
      const { observed: seen } = situation([{ ...state, locked: false, failedBuild: false }]);
      const wants = { [named(0)]: state.wanted };
      const desired = wanting(2, 'T', aFleet([aSpec(named(0), spec)]), wants);
      if (desired.kind !== 'ready') return;
      const memory = remembering(
        ...[
          observed(2, 'T'),
          released('T', wants),
          ...factsOf(named(0), { ...state, failedBuild: false }, 0),
        ],
        ...(pinned === undefined ? [] : pinOf(named(0), pinned)),
      );
      const parts = rebootDue ? (['kernel'] as const) : [];
      const said = { ...report(named(0), { ...state, locked: false }), rebootNeeded: parts };
      const contact = reached(named(0), said, now - 10);
      const present: Observed = { ...seen, memory, contacts: new Map([[contact.host, contact]]) };
      const [verdict] = plan(desired, present, patience, now).verdicts;
      if (verdict?.kind !== 'deliver' && verdict?.kind !== 'finalise') return;
      const deployment = newDeployment({
        id: parseDeploymentId('dordered000000'),
        token: { epoch: 1, counter: 1 },
        verdict,
        spec: aSpec(named(0), spec),
        ...{ desired, memory, contact, at: now },
      });
      expect(deployment).toBeDefined();
      if (deployment === undefined) return;
      ordered += 1;
      for (const phase of ['pending', 'delivering', 'delivered'] as const) {
        const deployments = [{ ...deployment, phase }];
        const [next] = plan(desired, { ...present, deployments }, patience, now).verdicts;
        expect(next?.kind).not.toBe('superseded');
      }
    }),
    { numRuns: 1_000 },
  );
  expect(ordered).toBeGreaterThan(100);
});
