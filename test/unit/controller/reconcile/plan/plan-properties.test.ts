import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plan } from '../../../../../controller/reconcile/plan/plan.ts';
import type { Observed, Patience } from '../../../../../controller/reconcile/plan/plan-input.ts';
import { dueProbes } from '../../../../../controller/reconcile/plan/probes.ts';
import type { HostContact, ProbeReport } from '../../../../../shared/domain/contact.ts';
import { activePhases, phases, type Deployment } from '../../../../../shared/domain/deployment.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  anOutcome,
  aReport,
  aSpec,
  drv,
  host,
  incarnation,
  observed,
  owner,
  reached,
  released,
  remembering,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const patience: Patience = {
  probeEveryMs: 300_000,
  backOffMs: 1_000,
  longestBackOffMs: 60_000,
  lookAgainMs: 500,
};
const now = 10_000;
const letters = fc.constantFrom('A', 'B', 'C');

/** What one host may be like when it is judged. */
const hostState = fc.record({
  wanted: letters,
  current: letters,
  profile: letters,
  bootDefault: letters,
  contact: fc.constantFrom('none', 'reached', 'unreachable', 'of another life', 'before the observation'),
  owner: fc.constantFrom(owner, 'someone else', undefined),
  locked: fc.boolean(),
  adopted: fc.boolean(),
  held: fc.boolean(),
  failed: fc.option(letters, { nil: undefined }),
  failedBuild: fc.boolean(),
  confirmed: fc.option(letters, { nil: undefined }),
  live: fc.option(fc.record({ phase: fc.constantFrom(...phases), of: letters }), { nil: undefined }),
});
type HostState = typeof hostState extends fc.Arbitrary<infer State> ? State : never;
const fleetState = fc.array(hostState, { minLength: 1, maxLength: 6 });

function named(index: number): string {
  return `host${index}`;
}

function report(name: string, state: HostState): ProbeReport {
  return aReport({
    current: toplevel(state.current, name),
    profile: toplevel(state.profile, name),
    bootDefault: toplevel(state.bootDefault, name),
    owner: state.owner,
    locked: state.locked,
  });
}

function contactOf(name: string, state: HostState): HostContact | undefined {
  const said = reached(name, report(name, state), now - 10);
  switch (state.contact) {
    case 'none':
      return undefined;
    case 'reached':
      return said;
    case 'of another life':
      return { ...said, incarnation: 'another life' };
    case 'before the observation':
      return { ...said, askedAt: 1_500 };
    case 'unreachable':
      return {
        kind: 'unreachable',
        host: host(name),
        incarnation,
        askedAt: now - 10,
        at: now - 5,
        since: now - 5,
        attempts: 1,
        failure: aFailure({ code: 'HOST_UNREACHABLE', disposition: 'transient' }),
      };
  }
}

function factsOf(name: string, state: HostState, index: number): Fact[] {
  const facts: Fact[] = [];
  const deployment = (letter: string, id: string): Deployment =>
    aDeployment({
      id: parseDeploymentId(`d${id}${index}00000`),
      host: host(name),
      toplevel: toplevel(letter, name),
      drvPath: drv(letter, name),
    });
  if (state.adopted) facts.push(adopted(name, toplevel('A', name)));
  if (state.confirmed !== undefined) facts.push(anOutcome(deployment(state.confirmed, 'a')));
  if (state.failed !== undefined) {
    const failure = aFailure();
    facts.push(anOutcome(deployment(state.failed, 'b'), { phase: 'rolled-back', failure, evidence: true }));
  }
  if (state.failedBuild) {
    const failure = aFailure({ code: 'BUILD_FAILED' });
    facts.push(anOutcome(deployment(state.wanted, 'c'), { phase: 'failed', failure }));
  }
  if (state.held) {
    facts.push({
      kind: 'hold',
      at: 0,
      scope: { kind: 'host', host: host(name) },
      by: 'ada',
      reason: 'because',
      until: undefined,
    });
  }
  return facts;
}

function situation(states: readonly HostState[]): {
  readonly desired: ReturnType<typeof wanting>;
  readonly observed: Observed;
} {
  const wants = Object.fromEntries(states.map((state, i) => [named(i), state.wanted]));
  const memory = remembering(
    observed(2, 'T'),
    released('T', wants),
    ...states.flatMap((state, i) => factsOf(named(i), state, i)),
  );
  const contacts = states.flatMap((state, i) => {
    const contact = contactOf(named(i), state);
    return contact === undefined ? [] : [[contact.host, contact] as const];
  });
  const deployments = states.flatMap(({ live }, i) =>
    live === undefined
      ? []
      : [
          aDeployment({
            id: parseDeploymentId(`dlive${i}00000`),
            host: host(named(i)),
            phase: live.phase,
            toplevel: toplevel(live.of, named(i)),
          }),
        ],
  );
  return {
    desired: wanting(2, 'T', aFleet(states.map((_, i) => aSpec(named(i)))), wants),
    observed: { incarnation, memory, contacts: new Map(contacts), deployments },
  };
}

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
