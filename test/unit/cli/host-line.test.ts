import { describe, expect, it } from 'vitest';
import { whatHappens } from '../../../cli/host-line.ts';
import type { HostStatus } from '../../../shared/contracts/api.ts';

const waiting: HostStatus = {
  host: 'web1',
  labels: {},
  groups: [],
  address: 'root@web1:22',
  sync: 'OutOfSync',
  health: 'Healthy',
  verdict: 'wait',
  reason: 'observation 3 is not approved for wave rest: `varve approve rest`',
  waitsFor: 'approval',
  deployment: {
    id: 'd000001',
    phase: 'delivered',
    action: 'activate',
    observation: 3,
    revision: '0'.repeat(40),
    createdAt: 0,
    phaseAt: 0,
    activity: 'copying 3 paths',
  },
};

describe('what happens on a host, in one line', () => {
  it('is what it waits for once it was delivered, and not how that went', () => {
    expect(whatHappens(waiting, 0)).toEqual([waiting.reason, 'waits for approval']);
  });

  it('is how far its deployment is while something is done', () => {
    const { deployment } = waiting;
    const busy: HostStatus = {
      ...waiting,
      verdict: 'deliver',
      ...(deployment === undefined ? {} : { deployment: { ...deployment, phase: 'delivering' } }),
    };
    expect(whatHappens(busy, 0)).toEqual(['delivering', 'copying 3 paths']);
  });
});
