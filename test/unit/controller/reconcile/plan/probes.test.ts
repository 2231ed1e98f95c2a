import { describe, expect, it } from 'vitest';

import { probeTarget } from '../../../../../controller/reconcile/plan/probe-target.ts';
import { dueProbes } from '../../../../../controller/reconcile/plan/probes.ts';
import type { CheckResult } from '../../../../../shared/domain/check.ts';
import type { HostContact } from '../../../../../shared/domain/contact.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import type { Verdict } from '../../../../../shared/domain/verdict.ts';
import {
  aCheck,
  aFleet,
  aSpec,
  adopted,
  host,
  observed,
  reached,
  released,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const A = toplevel('A');
const web1 = host('web1');
const patience = {
  probeEveryMs: 300_000,
  backOffMs: 1_000,
  longestBackOffMs: 10_000,
  lookAgainMs: 1_000,
};
const inSync: Verdict = {
  host: web1,
  kind: 'in-sync',
  reason: 'it runs what is wanted',
  waitsFor: undefined,
  until: undefined,
  toplevel: A,
  deployment: undefined,
  code: undefined,
};

/** When a host whose checks said this, asked at 10,000, is asked again. */
function nextAsked(...checks: readonly CheckResult[]): number | undefined {
  const contact: HostContact = { ...reached('web1', running(A), 10_000), checks };
  return dueProbes([inSync], new Map([[web1, contact]]), patience, 10_000).requeueAt;
}

describe('a host that waits for a check before its activation', () => {
  it('is probed when that is to be asked again, and in its turn at the latest', () => {
    const waiting = (until: number) => {
      const verdict: Verdict = { ...inSync, kind: 'wait', waitsFor: 'check', until, code: 'NOT_READY' };
      return dueProbes([verdict], new Map([[web1, reached('web1', running(A), 10_000)]]), patience, 20_000);
    };
    expect(waiting(20_000).hosts).toEqual([web1]);
    expect(waiting(25_000)).toEqual({ hosts: [], requeueAt: 25_000 });
    expect(waiting(900_000)).toEqual({ hosts: [], requeueAt: 310_000 });
  });
});

describe('a host at rest', () => {
  it('is probed in its turn while its checks pass', () => {
    expect(nextAsked()).toBe(310_000);
    expect(nextAsked({ name: 'port 80', healthy: true, intervalMs: 5_000 })).toBe(310_000);
  });

  it('is probed again when the first of its failed checks may say something else', () => {
    const failed = (intervalMs: number) => ({ name: 'port 80', healthy: false, intervalMs });
    expect(nextAsked(failed(25_000), failed(15_000))).toBe(25_000);
    expect(nextAsked(failed(10))).toBe(20_000);
    expect(nextAsked(failed(3_600_000))).toBe(310_000);
  });
});

describe('the target of a probe', () => {
  const later = aCheck({ kind: 'tcp', port: 80 });
  const fleet = aFleet([
    aSpec('web1', { checks: [later, aCheck({ kind: 'worker', name: 'is-drained' }, { before: true })] }),
  ]);
  const facts = [observed(1, 'A'), released('A', { web1: 'A' })];
  const target = (...more: readonly Fact[]) =>
    probeTarget(web1, {
      desired: wanting(1, 'A', fleet, { web1: 'A' }),
      memory: remembering(...facts, ...more),
      snapshot: { contacts: new Map() },
      verdicts: new Map(),
      fences: new Map(),
      now: 1,
    });

  it('has the checks of the host, but those that come before an activation', () => {
    expect(target(adopted('web1', A))?.checks).toEqual([later]);
  });

  it('has no checks for a host that is not ours', () => {
    expect(target()?.checks).toEqual([]);
  });
});
