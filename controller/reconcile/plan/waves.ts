import { hostsIn, type RolloutPolicy, type Wave } from '../../../shared/domain/policy.ts';
import type { Memory, Rollout } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';
import type { Rolling } from './standing.ts';

/** How far a wave is, for decisions and for people. */
export interface WaveState {
  readonly wave: Wave;
  /**
   * `closed`: an earlier wave is not through. `moving`: its hosts may be let through. `soaking`: they are there, and
   * are watched. `failed`: nothing more of this release is let through, here and later.
   */
  readonly state: 'closed' | 'moving' | 'soaking' | 'passed' | 'failed';
  readonly hosts: readonly Rolling[];
  /** How many of its hosts have the release, and do well with it; none of a wave that is closed. */
  readonly done: number;
  /** Hosts that are waited for. */
  readonly moving: readonly HostName[];
  readonly failed: readonly HostName[];
  /** One line: what it waits for, or why it failed. */
  readonly reason: string;
  /** When the soak time is over. */
  readonly until: number | undefined;
  /** It failed by evidence, so that only a commit or a retry goes on. */
  readonly proven: boolean;
}

/** The waves of a rollout, in order, each as far as it is. Pure. */
export function waveStates(
  policy: RolloutPolicy,
  hosts: readonly Rolling[],
  memory: Memory,
  begun: Rollout | undefined,
  now: number,
): readonly WaveState[] {
  const byWave = new Map<string, Rolling[]>();
  for (const host of hosts) {
    const { wave } = host.view.spec;
    const members = byWave.get(wave);
    if (members === undefined) byWave.set(wave, [host]);
    else members.push(host);
  }
  const states: WaveState[] = [];
  let open = true;
  for (const wave of policy.waves) {
    const members = byWave.get(wave.name) ?? [];
    const state =
      failedBefore(policy, wave, members, memory, begun) ??
      (open ? openWave(policy, wave, members, memory, begun, now) : closedWave(wave, members, states));
    if (state.state !== 'passed') open = false;
    states.push(state);
  }
  return states;
}

/** By evidence that the ledger has: it has failed, also where a wave before it has to be gone through once more. */
function failedBefore(
  policy: RolloutPolicy,
  wave: Wave,
  hosts: readonly Rolling[],
  memory: Memory,
  begun: Rollout | undefined,
): WaveState | undefined {
  const remembered = begun?.failed.get(wave.name) ?? memory.halted.get(wave.name);
  if (policy.onFailure === 'continue' || remembered === undefined) return undefined;
  const { hosts: failed, reason } = remembered;
  return {
    wave,
    hosts,
    done: 0,
    moving: hosts.filter(({ standing }) => standing.kind === 'moving').map(({ view }) => view.host),
    failed,
    reason,
    state: 'failed',
    until: undefined,
    proven: true,
  };
}

function openWave(
  policy: RolloutPolicy,
  wave: Wave,
  hosts: readonly Rolling[],
  memory: Memory,
  begun: Rollout | undefined,
  now: number,
): WaveState {
  const counted = hosts.filter(({ standing }) => standing.kind !== 'out');
  const failing = counted.filter(({ standing }) => standing.kind === 'failed');
  const moving = counted.filter(({ standing }) => standing.kind === 'moving').map(({ view }) => view.host);
  const failed = failing.map(({ view }) => view.host);
  const done = counted.filter(({ standing }) => standing.kind === 'done').length;
  const base = { wave, hosts, done, moving, failed, until: undefined, proven: false };
  if (policy.onFailure !== 'continue') {
    // One number is for waves of all sizes: a small one has failed with all of its hosts, of which no hold makes it less.
    const size = counted.length + hosts.filter(isKept).length;
    const threshold = Math.min(hostsIn(policy.failureThreshold, size), size);
    if (failing.length > 0 && failing.length >= threshold) {
      const proven = failing.filter(({ standing }) => standing.kind === 'failed' && standing.proven);
      return {
        ...base,
        state: 'failed',
        reason: `${failedText(failing)}${failing.length > 1 ? ` (${failing.length} of ${counted.length} hosts)` : ''}`,
        proven: proven.length >= threshold,
      };
    }
  }
  if (begun?.passed.has(wave.name) === true) return { ...base, state: 'passed', reason: 'it passed' };
  if (moving.length > 0) {
    return {
      ...base,
      state: 'moving',
      reason: `${moving.length} of ${counted.length} hosts are not there yet`,
    };
  }
  const until = soakedAt(wave, counted, memory);
  if (until > now || !seenSince(counted, until)) {
    return { ...base, state: 'soaking', until, reason: `its hosts are there, and are watched for a while` };
  }
  const reason = counted.length === 0 ? 'none of its hosts is waited for now' : 'all of its hosts are there';
  return { ...base, state: 'passed', reason };
}

function closedWave(wave: Wave, hosts: readonly Rolling[], before: readonly WaveState[]): WaveState {
  const inTheWay = before.find(({ state }) => state !== 'passed');
  return {
    wave,
    hosts,
    done: 0,
    state: inTheWay?.state === 'failed' ? 'failed' : 'closed',
    moving: [],
    failed: [],
    until: inTheWay?.until,
    proven: false,
    reason:
      inTheWay?.state === 'failed'
        ? `wave ${inTheWay.wave.name} failed: ${inTheWay.reason}`
        : `wave ${inTheWay?.wave.name ?? ''} comes first: ${inTheWay?.reason ?? ''}`,
  };
}

/**
 * Whether a wave that lets others go on has proven anything. As long as people keep it as it is, by a hold or a suspension,
 * it has not, unless some of it has got there: afterwards it comes first again.
 */
export function isThrough({ state, done, hosts }: WaveState): boolean {
  return state === 'passed' && (done > 0 || !hosts.some(isKept));
}

/** People keep it as it is. */
function isKept({ verdict, standing }: Rolling): boolean {
  return verdict.kind === 'held' && standing.kind === 'out';
}

function failedText(failing: readonly Rolling[]): string {
  const first = failing[0];
  return first?.standing.kind === 'failed' ? `${first.view.host}: ${first.standing.why}` : '';
}

/** When the hosts will have been on their systems for long enough, whichever commit brought those. */
function soakedAt(wave: Wave, counted: readonly Rolling[], memory: Memory): number {
  // A release that has soaked here before (a revert comes back to it) has nothing left to prove.
  if (wave.soakMs === 0 || hasProven(memory, wave)) return -Infinity;
  let last = -Infinity;
  for (const { view, standing } of counted) {
    if (standing.kind === 'done') last = Math.max(last, view.remembered?.confirmed?.at ?? -Infinity);
  }
  return last + wave.soakMs;
}

function hasProven({ newestKey, proven }: Memory, wave: Wave): boolean {
  return newestKey !== undefined && proven.has(`${newestKey} ${wave.name}`);
}

/** Every host has been looked at since the soak time ended: what died meanwhile must not be missed. */
function seenSince(counted: readonly Rolling[], since: number): boolean {
  return counted.every(
    ({ view: { contact }, standing }) =>
      standing.kind !== 'done' || (contact?.kind === 'reached' && contact.askedAt >= since),
  );
}
