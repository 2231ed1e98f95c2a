import { describe, expect, test } from 'vitest';
import { type Convergence, convergence } from '../../../cli/convergence.ts';
import type { HostStatus, Status } from '../../../shared/contracts/api.ts';
import { aHost, aStatus, revisions } from '../../support/fake-fleet.ts';

const stalled: Partial<HostStatus> = {
  sync: 'Stalled',
  health: 'Degraded',
  verdict: 'stalled',
  failure: { code: 'BUILD_FAILED', disposition: 'stalled', message: 'no rule to make it' },
};
const moving: Partial<HostStatus> = { sync: 'OutOfSync', health: 'Progressing', verdict: 'deliver' };
const unreachable: Partial<HostStatus> = { sync: 'OutOfSync', health: 'Unreachable', verdict: 'unreachable' };

function check(status: Status, expected: Partial<Convergence>, revision?: string, observed = false): void {
  expect(convergence(status, { revision, observed })).toMatchObject(expected);
}

describe('a fleet', () => {
  test('has converged when every host is synced', () => check(aStatus(), { kind: 'converged' }));

  test('has converged with held and orphaned hosts left alone', () =>
    check(
      aStatus({
        hosts: [
          aHost('a'),
          aHost('b', { sync: 'OutOfSync', verdict: 'held' }),
          aHost('c', { sync: 'Unknown', verdict: 'orphaned' }),
        ],
      }),
      {
        kind: 'converged',
        leftAlone: ['b', 'c'],
      },
    ));

  test('has converged where a host that tests its branch is left alone, whatever became of that', () => {
    const testing = {
      branch: 'testing/a',
      revision: revisions.new,
      state: 'active',
      reason: 'it is on top',
      since: 1,
    } as const;
    check(aStatus({ hosts: [aHost('a', { ...stalled, testing }), aHost('b')] }), {
      kind: 'converged',
      leftAlone: ['a'],
    });
    check(aStatus({ hosts: [aHost('a', { ...stalled, testing: { ...testing, state: 'ignored' } })] }), {
      kind: 'stalled',
    });
  });

  test('waits for a host that moves, also where another one is stalled', () =>
    check(aStatus({ hosts: [aHost('a', moving), aHost('b', stalled)] }), { kind: 'waiting', what: 'a' }));

  test('is stalled when only stalled hosts are left', () =>
    check(aStatus({ hosts: [aHost('a'), aHost('b', stalled)] }), {
      kind: 'stalled',
      hosts: ['b'],
      why: 'no rule to make it',
    }));

  test('is stalled by a host that nobody has adopted', () =>
    check(aStatus({ hosts: [aHost('a', { sync: 'OutOfSync', verdict: 'unmanaged' })] }), {
      kind: 'stalled',
      hosts: ['a'],
    }));

  test('waits for a host that is down', () =>
    check(aStatus({ hosts: [aHost('a', unreachable)] }), { kind: 'waiting' }));

  test('waits for the evaluation', () =>
    check(aStatus({ release: { state: 'evaluating' } }), { kind: 'waiting' }));

  test('is stalled by a revision that cannot be evaluated', () =>
    check(
      aStatus({
        release: {
          state: 'failed',
          failure: { code: 'EVALUATION_FAILED', disposition: 'stalled', message: 'flake.nix:3' },
        },
      }),
      { kind: 'stalled', why: 'flake.nix:3' },
    ));

  test('waits for a revision that was not seen yet', () =>
    check(aStatus(), { kind: 'waiting' }, '9'.repeat(40)));

  test('is past a revision that was seen before the newest one', () =>
    check(aStatus(), { kind: 'superseded', by: revisions.new }, revisions.old, true));

  test('waits for the first look', () => {
    const { observation, ...rest } = aStatus();
    expect(observation).toBeDefined();
    check(rest, { kind: 'waiting' });
  });
});
