import fc from 'fast-check';
import type { Observed, Patience } from '../../controller/reconcile/plan/plan-input.ts';
import type { HostContact, ProbeReport } from '../../shared/domain/contact.ts';
import { phases, type Deployment } from '../../shared/domain/deployment.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../shared/domain/names.ts';
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
} from './builders.ts';

/** Fleets in whatever state, for properties of the plan. */

export const patience: Patience = {
  probeEveryMs: 300_000,
  backOffMs: 1_000,
  longestBackOffMs: 60_000,
  lookAgainMs: 500,
};
export const now = 10_000;
export const letters = fc.constantFrom('A', 'B', 'C');

/** What one host may be like when it is judged. */
export const hostState = fc.record({
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
export type HostState = typeof hostState extends fc.Arbitrary<infer State> ? State : never;
export const fleetState = fc.array(hostState, { minLength: 1, maxLength: 6 });

export function named(index: number): string {
  return `host${index}`;
}

export function report(name: string, state: HostState): ProbeReport {
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

export function factsOf(name: string, state: HostState, index: number): Fact[] {
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

export function situation(states: readonly HostState[]): {
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
