import { plan } from '../../controller/reconcile/plan/plan.ts';
import type { ProbeReport, Readiness } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import { plainHost, type HostSpec } from '../../shared/domain/fleet.ts';
import { parseDeploymentId } from '../../shared/domain/names.ts';
import { plainRollout, type RebootPolicy, type Window } from '../../shared/domain/policy.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  anObservation,
  aReport,
  aSpec,
  host,
  incarnation,
  observed,
  reached,
  released,
  remembering,
  running,
  toplevel,
  wanting,
} from './builders.ts';
import { patience } from './judged.ts';

export const names = ['web1', 'web2', 'web3'];
export const noon = Date.UTC(2026, 0, 5, 12);
export const [A, B] = [toplevel('A'), toplevel('B')];

export const policy = (when: RebootPolicy['when']): RebootPolicy => ({ ...plainHost.reboot, when });
export const window = (schedule: string): Window => ({
  kind: 'allow',
  schedule,
  durationMs: 3_600_000,
  timeZone: 'UTC',
});

/** It runs what is wanted, under the kernel of the system before. */
export const onOldKernel = (name = 'web1'): ProbeReport => {
  const wanted = toplevel('B', name);
  return running(wanted, { booted: toplevel('A', name), rebootNeeded: ['kernel', 'initrd'] });
};
/** What is wanted is only set for the next boot. */
export const setForBoot = aReport({
  current: A,
  booted: A,
  profile: B,
  bootDefault: B,
  rebootNeeded: ['kernel'],
});

export interface Case {
  readonly spec?: Partial<HostSpec>;
  readonly facts?: readonly Fact[];
  readonly report?: ProbeReport;
  readonly reports?: (name: string) => ProbeReport;
  /** What the checks before an activation said, where they were asked. */
  readonly readiness?: Readiness;
  readonly live?: readonly Deployment[];
  readonly hosts?: readonly string[];
  readonly atOnce?: number;
  readonly now?: number;
  /** The newest observation cannot be read; what is wanted is that of the last good one. */
  readonly blocked?: boolean;
}

export const base = (hosts: readonly string[]): readonly Fact[] => [
  ...hosts.map((name) => adopted(name, toplevel('A', name))),
  observed(1, 'A'),
  released('A', Object.fromEntries(hosts.map((name) => [name, 'A']))),
  observed(2, 'B'),
  released('B', Object.fromEntries(hosts.map((name) => [name, 'B']))),
];

export function verdicts(given: Case): readonly Verdict[] {
  const { hosts = ['web1'], now = noon } = given;
  const fleet = aFleet(
    hosts.map((name) => aSpec(name, { reboot: policy('after-deploy'), ...given.spec })),
    { rollout: { ...plainRollout, rebootsAtOnce: given.atOnce ?? 1 } },
  );
  const desired = wanting(2, 'B', fleet, Object.fromEntries(hosts.map((name) => [name, 'B'])));
  const failure = aFailure({ code: 'MANIFEST_INVALID', message: 'an unknown key' });
  const lastGood = desired.kind === 'ready' ? desired : undefined;
  const observation = anObservation(3, 'broken');
  return plan(
    given.blocked === true ? { kind: 'blocked', observation, failure, fleet: undefined, lastGood } : desired,
    {
      incarnation,
      memory: remembering(...base(hosts), ...(given.facts ?? [])),
      contacts: new Map(
        hosts.map((name) => {
          const contact = reached(name, given.report ?? (given.reports ?? onOldKernel)(name), now - 100);
          return [contact.host, { ...contact, ...(given.readiness && { readiness: given.readiness }) }];
        }),
      ),
      deployments: given.live ?? [],
    },
    patience,
    now,
  ).verdicts;
}

export const judge = (given: Case): Verdict | undefined => verdicts(given)[0];

export const reboot = (name: string, change: Partial<Deployment> = {}): Deployment =>
  aDeployment({
    id: parseDeploymentId(`d00${name}0`),
    host: host(name),
    observation: 2,
    toplevel: toplevel('B', name),
    action: 'reboot',
    ...change,
  });
