import { describe, expect, it } from 'vitest';
import { isAbandoned, mustNotStartYet } from '../../../../../controller/reconcile/plan/abandon.ts';
import type { HostRecord } from '../../../../../shared/domain/contact.ts';
import type { Deployment, Phase } from '../../../../../shared/domain/deployment.ts';
import type { Desired } from '../../../../../shared/domain/desired.ts';
import type { Fact } from '../../../../../shared/domain/facts.ts';
import {
  aDeployment,
  aFleet,
  aSpec,
  host,
  reached,
  remembering,
  running,
  toplevel,
  wanting,
} from '../../../../support/builders.ts';

const wants = (letter: string, name = 'web1') =>
  wanting(2, letter, aFleet([aSpec(name)]), { [name]: letter });

/** What the host has of a deployment that it began. */
function recordOf({ id, token, toplevel: aimed }: Deployment): HostRecord {
  return {
    deployment: id,
    token,
    toplevel: aimed,
    previous: toplevel('A'),
    bootId: 'boot-1',
    end: undefined,
  };
}

function abandoned(
  given: {
    readonly desired?: ReturnType<typeof wants>;
    readonly phase?: Phase;
    readonly recorded?: boolean;
    readonly facts?: readonly Fact[];
  } = {},
): boolean {
  const deployment = aDeployment({ phase: given.phase ?? 'activating', toplevel: toplevel('B') });
  const record = recordOf(deployment);
  return isAbandoned(deployment, {
    desired: given.desired ?? wants('C'),
    memory: remembering(...(given.facts ?? [])),
    contact: reached('web1', running(toplevel('A'), { records: given.recorded === true ? [record] : [] }), 1),
    now: 10,
  });
}

describe('an activation that may never have reached its host', () => {
  it('is given up when something else is wanted by now, or nothing', () => {
    expect(abandoned()).toBe(true);
    expect(abandoned({ desired: wants('C', 'db1') })).toBe(true);
  });

  it('is tried again while it is what is wanted', () => {
    expect(abandoned({ desired: wants('B') })).toBe(false);
  });

  it('is never given up once the host has a record of it, or it is being confirmed', () => {
    expect(abandoned({ recorded: true })).toBe(false);
    expect(abandoned({ phase: 'confirming' })).toBe(false);
    expect(abandoned({ phase: 'rolling-back' })).toBe(false);
  });

  it('is given up when its window has closed or a freeze has begun, and not before', () => {
    const frozenFor = (from: number): ReturnType<typeof wants> => {
      const freeze = {
        from,
        until: 100,
        reason: 'an audit',
        author: 'ada',
        scope: { kind: 'fleet' },
      } as const;
      return wanting(2, 'B', aFleet([aSpec('web1')], { freezes: [freeze] }), { web1: 'B' });
    };
    expect(abandoned({ desired: frozenFor(5) })).toBe(true);
    expect(abandoned({ desired: frozenFor(50) })).toBe(false);
    expect(abandoned({ desired: frozenFor(5), recorded: true })).toBe(false);
  });

  it('is given up under a hold, also when it is what is wanted', () => {
    const hold: Fact = {
      kind: 'hold',
      at: 0,
      scope: { kind: 'host', host: host('web1') },
      by: 'ada',
      reason: 'x',
      until: undefined,
    };
    expect(abandoned({ desired: wants('B'), facts: [hold] })).toBe(true);
  });
});

describe('an activation of an earlier leadership', () => {
  const deployment = aDeployment({ phase: 'activating', toplevel: toplevel('B') });
  const newEpoch: Fact = { kind: 'epoch', at: 1, epoch: deployment.token.epoch + 1, leader: 'b' };
  const record = recordOf(deployment);
  const unknown: Desired = { kind: 'unknown', reason: 'it is being read' };

  it('does not begin before it is known what is wanted, but is gone on with where it has begun', () => {
    const memory = remembering(newEpoch);
    const silent = reached('web1', running(toplevel('A')), 1);
    expect(mustNotStartYet(deployment, { desired: unknown, memory, contact: silent })).toBe(true);
    expect(mustNotStartYet(deployment, { desired: wants('B'), memory, contact: silent })).toBe(false);
    const begun = reached('web1', running(toplevel('A'), { records: [record] }), 1);
    expect(mustNotStartYet(deployment, { desired: unknown, memory, contact: begun })).toBe(false);
  });

  it('is not confused with one of the present leadership', () => {
    const input = { desired: unknown, memory: remembering(), contact: undefined };
    expect(mustNotStartYet(deployment, input)).toBe(false);
  });
});
