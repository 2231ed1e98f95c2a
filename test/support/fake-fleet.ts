import type { HostStatus, Status } from '../../shared/contracts/api.ts';
import { FleetError } from '../../shared/domain/errors.ts';

export const revisions = {
  old: '1111111111111111111111111111111111111111',
  new: '2222222222222222222222222222222222222222',
} as const;

/** The tree of the newest revision. */
export const tree = '3333333333333333333333333333333333333333';
/** When all of it was. */
export const at = Date.UTC(2026, 10, 22, 12, 0, 0);

export function toplevel(letter: string, host: string): string {
  return `/nix/store/${letter.repeat(32)}-nixos-system-${host}-24.05`;
}

export function aHost(host: string, change: Partial<HostStatus> = {}): HostStatus {
  return {
    host,
    labels: {},
    wave: 'all',
    groups: [],
    address: `root@${host}.example:22`,
    sync: 'Synced',
    health: 'Healthy',
    verdict: 'in-sync',
    reason: 'runs what Git says',
    current: toplevel('b', host),
    desired: toplevel('b', host),
    revision: revisions.new,
    observation: 2,
    confirmedAt: at,
    profileGeneration: 7,
    lastContactAt: at,
    ...change,
  };
}

export function aStatus(change: Partial<Status> = {}): Status {
  return {
    at,
    version: '0.1.0',
    owner: 'owner-1',
    leader: { kind: 'self', epoch: 1 },
    source: {
      state: 'ok',
      repository: 'ssh://git@forge.example/fleet.git',
      ref: 'main',
      lastLookAt: at,
      lastSuccessAt: at,
    },
    observation: {
      n: 2,
      revision: revisions.new,
      tree,
      at,
      forced: false,
      author: 'Ada',
      subject: 'web1: a newer page',
    },
    release: { state: 'complete', durationMs: 2_300 },
    holds: [],
    overrides: [],
    gates: [],
    hosts: [aHost('web1'), aHost('web2'), aHost('db1')],
    ...change,
  };
}

/** A wave that waits for an approval, and a group that will. */
export const withGates = aStatus({
  hosts: [aHost('web1'), aHost('web2', { groups: ['routers'] }), aHost('db1')],
  gates: [
    { kind: 'wave', name: 'all', observation: 2, waiting: 2 },
    { kind: 'group', name: 'routers', observation: 2, waiting: 0 },
  ],
});

/** What a controller says of what it does not know. */
export function notFound(message: string, hint: string | undefined): FleetError {
  return new FleetError({ code: 'NOT_FOUND', disposition: 'stalled', message, hint });
}
