import type { FactOf } from './facts.ts';
import { type Draft, change, hostOf } from './memory-draft.ts';
import type { WaveFailure } from './memory.ts';
import type { HostName } from './names.ts';
import type { Release } from './observation.ts';

/** How a rollout went on. */
export function learnRollout(draft: Draft, { at, observation, change: changed }: FactOf<'rollout'>): void {
  const { rollout } = draft;
  if (changed.kind === 'began') {
    draft.rollout = {
      observation,
      beganAt: at,
      absent: new Set(changed.absent),
      passed: new Set(),
      failed: new Map(),
      over: false,
    };
    if (!changed.keepsTrials) endTrials(draft);
    return;
  }
  if (rollout?.observation !== observation) return;
  switch (changed.kind) {
    case 'wave-passed': {
      draft.rollout = { ...rollout, passed: new Set([...rollout.passed, changed.wave]) };
      const key = draft.keys.get(observation);
      if (key !== undefined) draft.proven.add(`${key} ${changed.wave}`);
      return;
    }
    case 'wave-failed': {
      const { wave, reason, hosts } = changed;
      draft.rollout = { ...rollout, failed: new Map([...rollout.failed, [wave, { reason, hosts }]]) };
      return;
    }
    case 'ended':
      draft.rollout = { ...rollout, over: true };
      endTrials(draft);
      return;
  }
}

function endTrials(draft: Draft): void {
  for (const [host, { onTrial }] of draft.hosts) if (onTrial) change(draft, host, { onTrial: false });
}

/**
 * A commit that changes no system goes on with the rollout that it comes upon; any other one ends it. But a wave that
 * failed has failed for the release that follows, too, as long as that has for a host what failed there.
 */
export function carryOver(draft: Draft, release: Release): void {
  const { rollout } = draft;
  const observation = draft.observations.at(-1)?.n;
  if (observation === undefined || rollout?.observation === observation) return;
  const key = rollout && draft.keys.get(rollout.observation);
  const before = key === undefined ? undefined : draft.releases.get(key);
  if (rollout !== undefined && before !== undefined && sameSystems(before, release)) {
    draft.rollout = { ...rollout, observation };
    return;
  }
  const stands = ({ hosts }: WaveFailure): boolean =>
    hosts.some((host) => hostOf(draft, host).desired === release.hosts.get(host)?.toplevel);
  const failures = [...draft.halted, ...(rollout?.failed ?? [])];
  draft.halted = new Map(failures.filter(([, failure]) => stands(failure)));
  draft.rollout = undefined;
  if (draft.halted.size === 0) bringForward(draft);
}

function sameSystems(a: Release, b: Release): boolean {
  if (a.hosts.size !== b.hosts.size) return false;
  for (const [host, { toplevel }] of a.hosts) {
    if (b.hosts.get(host)?.toplevel !== toplevel) return false;
  }
  return true;
}

/**
 * What failed is to be tried again, on one host or everywhere. As long as a wave has failed on others as well, it has failed.
 * Once none has any more, nobody stays back with one. Hosts that still speak against the release fail theirs again.
 */
export function goOn(draft: Draft, only: HostName | undefined): void {
  const { rollout, halted } = draft;
  if (rollout !== undefined) draft.rollout = { ...rollout, failed: failedOnOthers(rollout.failed, only) };
  draft.halted = failedOnOthers(halted, only);
  if (draft.halted.size === 0 && (draft.rollout?.failed.size ?? 0) === 0) bringForward(draft);
}

function failedOnOthers(
  waves: ReadonlyMap<string, WaveFailure>,
  only: HostName | undefined,
): ReadonlyMap<string, WaveFailure> {
  if (only === undefined) return new Map();
  const left = new Map<string, WaveFailure>();
  for (const [wave, failure] of waves) {
    const hosts = failure.hosts.filter((host) => host !== only);
    if (hosts.length > 0) left.set(wave, { ...failure, hosts });
  }
  return left;
}

/** Who was rolled back with a wave follows again. */
function bringForward(draft: Draft): void {
  for (const [host, { pin }] of draft.hosts) {
    if (pin?.cause === 'wave') change(draft, host, { pin: undefined });
  }
}
