import type { HostStatus, Status } from '../shared/contracts/api.ts';

/** How far a fleet is on its way to what was asked for. */
export type Convergence =
  | { readonly kind: 'converged'; readonly leftAlone: readonly string[] }
  | { readonly kind: 'waiting'; readonly what: string }
  /** Nothing moves any more, and these hosts are not there. */
  | { readonly kind: 'stalled'; readonly hosts: readonly string[]; readonly why: string }
  /** A newer observation has come: this revision will not be reached. */
  | { readonly kind: 'superseded'; readonly by: string };

/**
 * Pure. `revision`: what is waited for; without it, the newest observation. `observed`: it was seen at some time.
 * Hosts that are held, orphaned or test a branch are left alone and do not count. A host counts as stalled only when no
 * other host moves.
 */
export function convergence(
  status: Status,
  wanted: { readonly revision: string | undefined; readonly observed: boolean },
): Convergence {
  const { observation } = status;
  const { revision } = wanted;
  if (observation === undefined)
    return { kind: 'waiting', what: `${status.source.ref} has not been seen yet` };
  if (revision !== undefined && observation.revision !== revision) {
    if (wanted.observed) return { kind: 'superseded', by: observation.revision };
    const why = status.source.failure === undefined ? '' : ` (${status.source.failure.code})`;
    return { kind: 'waiting', what: `the revision has not been seen on ${status.source.ref} yet${why}` };
  }
  if (status.release.state === 'failed') {
    return { kind: 'stalled', hosts: [], why: status.release.failure?.message ?? 'it cannot be evaluated' };
  }
  if (status.release.state !== 'complete') return { kind: 'waiting', what: 'it is being evaluated' };

  const leftAlone = status.hosts.filter(isLeftAlone);
  const counted = status.hosts.filter((host) => !isLeftAlone(host));
  const open = counted.filter((host) => host.sync !== 'Synced' || host.deployment !== undefined);
  if (open.length === 0) return { kind: 'converged', leftAlone: leftAlone.map((host) => host.host) };
  const stalled = open.filter((host) => host.deployment === undefined && needsPerson(host));
  const [first] = stalled;
  if (first !== undefined && stalled.length === open.length) {
    return {
      kind: 'stalled',
      hosts: stalled.map((host) => host.host),
      why: first.failure?.message ?? first.reason,
    };
  }
  const moving = open.filter((host) => !stalled.includes(host)).map((host) => host.host);
  const more = moving.length > 5 ? ` and ${moving.length - 5} more` : '';
  return { kind: 'waiting', what: `${moving.slice(0, 5).join(', ')}${more}` };
}

function isLeftAlone(host: HostStatus): boolean {
  return host.verdict === 'held' || host.verdict === 'orphaned' || host.testing?.state === 'active';
}

function needsPerson(host: HostStatus): boolean {
  return host.sync === 'Stalled' || host.verdict === 'stalled' || host.verdict === 'unmanaged';
}
