import { plan } from '../../controller/reconcile/plan/plan.ts';
import type { Patience } from '../../controller/reconcile/plan/plan-input.ts';
import type { HostContact, ProbeReport } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Desired } from '../../shared/domain/desired.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import {
  adopted,
  aFleet,
  aSpec,
  incarnation,
  observed,
  reached,
  released,
  remembering,
  running,
  toplevel,
  wanting,
} from './builders.ts';

export const patience: Patience = {
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

export const fleet = aFleet([aSpec('web1')]);
export const A = toplevel('A');
export const B = toplevel('B');
/** A was deployed and confirmed by observation 1; observation 2 wants B. */
export const aThenB: readonly Fact[] = [
  adopted('web1', A),
  observed(1, 'A'),
  released('A', { web1: 'A' }),
  observed(2, 'B'),
  released('B', { web1: 'B' }),
];
export const wantsB = wanting(2, 'B', fleet, { web1: 'B' });

/** The verdict on web1: by default it is managed, was just probed, runs A, and B is wanted. */
export function judge(given: Case): Verdict | undefined {
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
