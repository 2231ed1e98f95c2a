import { describe, expect, it } from 'vitest';
import type { Deployment } from '../../../../../shared/domain/deployment.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import { parseDeploymentId } from '../../../../../shared/domain/names.ts';
import {
  aDeployment,
  aFailure,
  anOutcome,
  aReport,
  running,
  toplevel,
} from '../../../../support/builders.ts';

import { A, B, judge, onOldKernel, reboot, setForBoot } from '../../../../support/reboot-cases.ts';

describe('a host that awaits its reboot, or has been booted since', () => {
  const X = toplevel('X');
  const confirmedOn = (change: Partial<Deployment>, outcome: Parameters<typeof anOutcome>[1]) =>
    anOutcome(aDeployment({ id: parseDeploymentId('d00deploy'), toplevel: B, observation: 2, ...change }), {
      at: 1_000,
      ...outcome,
    });
  const awaits = confirmedOn({}, { phase: 'awaiting-reboot', previous: A });
  const report = { profile: B, bootDefault: B, booted: B };

  it('has drifted once somebody switches it to something else, and is not rebooted over that', () => {
    for (const change of [report, { ...report, profile: X, bootDefault: X }, { ...report, booted: A }]) {
      const said = judge({ facts: [awaits], report: aReport({ ...change, current: X }) });
      expect(said).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
    }
  });

  it('has drifted where somebody makes it boot something else', () => {
    const said = judge({
      facts: [awaits],
      report: aReport({ current: A, booted: A, profile: X, bootDefault: X }),
    });
    expect(said).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
  });

  it('has not drifted while it runs what it ran then', () => {
    expect(judge({ facts: [awaits], report: setForBoot })).toMatchObject({
      kind: 'deliver',
      action: 'reboot',
    });
  });

  it('has drifted in mode boot as well, once it was booted', () => {
    const spec = { mode: 'boot' } as const;
    const booted = confirmedOn({ mode: 'boot', action: 'reboot' }, {});
    const current = aReport({ ...report, current: X });
    expect(judge({ spec, facts: [booted], report: current })).toMatchObject({ code: 'DRIFTED' });
    const set = confirmedOn({ mode: 'boot' }, { phase: 'awaiting-reboot', previous: A });
    expect(judge({ spec, facts: [set], report: setForBoot })).toMatchObject({ action: 'reboot' });
  });

  it('has drifted although a reboot came to nothing long before', () => {
    const drain = {
      phase: 'failed',
      failure: aFailure({ code: 'NOT_READY', disposition: 'transient' }),
    } as const;
    const facts = [confirmedOn({}, {}), anOutcome(reboot('web1'), { at: 2_000, previous: A, ...drain })];
    const said = judge({ facts, report: aReport({ ...report, current: X }) });
    expect(said).toMatchObject({ kind: 'stalled', code: 'DRIFTED' });
  });

  it('is tested again after a reboot, which is no drift, also where that is its mode', () => {
    const tested = confirmedOn({ mode: 'test' }, {});
    expect(judge({ spec: { mode: 'test' }, facts: [tested], report: running(A) })).toMatchObject({
      kind: 'deliver',
      toplevel: B,
    });
    const switched = aReport({ current: X, booted: A, profile: A, bootDefault: A });
    expect(judge({ spec: { mode: 'test' }, facts: [tested], report: switched })).toMatchObject({
      code: 'DRIFTED',
    });
  });
});

describe('a host that goes down in every reboot', () => {
  it.each(['switch', 'boot'] as const)('is rebooted twice, and not for ever (mode %s)', (mode) => {
    const spec = { mode };
    const facts: Fact[] = [];
    const act = (id: string, action: Deployment['action'], outcome: Parameters<typeof anOutcome>[1]) =>
      facts.push(
        anOutcome(aDeployment({ id: parseDeploymentId(id), toplevel: B, observation: 2, mode, action }), {
          at: facts.length,
          previous: A,
          ...outcome,
        }),
      );
    const activated = { phase: mode === 'boot' ? 'awaiting-reboot' : 'succeeded' } as const;
    const failure = aFailure({ code: 'POWER_LOST', disposition: 'transient' });
    const ready = mode === 'boot' ? setForBoot : onOldKernel();
    for (const round of ['1', '2']) {
      expect(judge({ spec, facts, report: running(A) })).toMatchObject({ kind: 'deliver' });
      act(`d00activate${round}`, 'activate', activated);
      expect(judge({ spec, facts, report: ready })).toMatchObject({ action: 'reboot' });
      act(`d00reboot${round}`, 'reboot', { phase: 'unconfirmed', failure });
    }
    expect(judge({ spec, facts, report: running(A) })).toMatchObject({ kind: 'stalled' });
  });
});
