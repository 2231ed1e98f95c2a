import { describe, expect, it } from 'vitest';

import { axesOf } from '../../../../shared/domain/axes.ts';
import type { ProbeReport } from '../../../../shared/domain/contact.ts';
import type { Verdict } from '../../../../shared/domain/verdict.ts';
import { host, reached, running, toplevel } from '../../../support/builders.ts';

const verdict: Verdict = {
  host: host('web1'),
  kind: 'in-sync',
  reason: 'it runs what is wanted',
  waitsFor: undefined,
  until: undefined,
  toplevel: toplevel('A'),
  deployment: undefined,
  code: undefined,
};
const axes = (report: Partial<ProbeReport>) =>
  axesOf(verdict, reached('web1', running(toplevel('A'), report), 1), undefined);

describe('a host that runs what is wanted', () => {
  const tidied = { agoMs: 1, failures: 1, failure: 'the boot menu could not be written' };

  it('is healthy', () => {
    expect(axes({})).toEqual({ sync: 'Synced', health: 'Healthy' });
    expect(axes({ tidied: { ...tidied, failures: 0 } }).health).toBe('Healthy');
  });

  it('is degraded by a failed unit, and by a boot menu that could not be written', () => {
    expect(axes({ failedUnits: ['x.service'] }).health).toBe('Degraded');
    expect(axes({ tidied })).toEqual({ sync: 'Synced', health: 'Degraded' });
  });

  it('is not degraded by a boot menu that is being written', () => {
    expect(axes({ tidied, locked: true }).health).toBe('Healthy');
  });
});
