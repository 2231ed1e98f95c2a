import { describe, expect, it } from 'vitest';

import { axesOf } from '../../../../shared/domain/axes.ts';
import type { CheckResult } from '../../../../shared/domain/check.ts';
import type { ProbeReport } from '../../../../shared/domain/contact.ts';
import type { UnitFailures } from '../../../../shared/domain/fleet.ts';
import { isUnhealthy } from '../../../../shared/domain/health.ts';
import { aFailure, host, incarnation, reached, running, toplevel } from '../../../support/builders.ts';

const A = toplevel('A');
const contact = (report: Partial<ProbeReport>, ...checks: readonly CheckResult[]) => ({
  ...reached('web1', running(A, report), 1),
  checks,
});
const failedCheck = { name: 'port 80', healthy: false, message: 'port 80: refused', intervalMs: 1 };
const passedCheck = { name: 'port 81', healthy: true, intervalMs: 1 };

describe('a host at rest', () => {
  it('is well when its checks pass and no unit has failed', () => {
    expect(isUnhealthy(contact({}, passedCheck))).toEqual({ unhealthy: false, why: '' });
  });

  it('is not well when a check fails, which says why', () => {
    expect(isUnhealthy(contact({}, passedCheck, failedCheck))).toEqual({
      unhealthy: true,
      why: 'port 80: refused',
    });
  });

  it.for<[UnitFailures, string]>([
    ['new', 'new.service failed or keeps restarting'],
    [
      'any',
      'new.service failed or keeps restarting; old.service failed or keeps restarting; loop.service failed or keeps restarting',
    ],
    ['ignore', ''],
  ])('counts failed units by its policy: %s', ([policy, why]) => {
    const units = {
      failedUnits: ['new.service', 'old.service'],
      restarting: ['loop.service'],
      newlyFailed: ['new.service'],
    };
    expect(isUnhealthy(contact(units), policy)).toEqual({ unhealthy: why !== '', why });
  });

  it('is not unwell because it does not answer', () => {
    const away = {
      kind: 'unreachable',
      host: host('web1'),
      incarnation,
      askedAt: 1,
      at: 1,
      since: 1,
      attempts: 1,
      failure: aFailure({ code: 'HOST_UNREACHABLE' }),
    } as const;
    expect(isUnhealthy(away).unhealthy).toBe(false);
    expect(isUnhealthy(undefined).unhealthy).toBe(false);
  });

  it.for([
    [contact({}, passedCheck), 'Healthy'],
    [contact({}, failedCheck), 'Degraded'],
    [contact({ restarting: ['loop.service'] }), 'Degraded'],
    [contact({ failedUnits: ['old.service'] }), 'Degraded'],
  ] as const)('is shown as it is: %#', ([seen, health]) => {
    const verdict = {
      host: host('web1'),
      kind: 'in-sync',
      reason: '',
      waitsFor: undefined,
      until: undefined,
      toplevel: A,
      deployment: undefined,
      code: undefined,
    } as const;
    expect(axesOf(verdict, seen, undefined)).toEqual({ sync: 'Synced', health });
  });
});
