import type { Failure } from './errors.ts';
import type { FactOf } from './facts.ts';
import { type Act, type HoldOn, type HostMemory, type Memory, type Rollout, blankHost } from './memory.ts';
import type { DeploymentId, DrvPath, HostName } from './names.ts';
import type { Observation, Release, ReleaseKey } from './observation.ts';

/** A memory while it learns: nobody else changes one. */
export interface Draft extends Memory {
  lastRelease: Release | undefined;
  owner: string | undefined;
  epoch: number;
  newestKey: ReleaseKey | undefined;
  readonly observations: Observation[];
  readonly keys: Map<number, ReleaseKey>;
  readonly releases: Map<ReleaseKey, Release>;
  readonly evaluationMs: Map<ReleaseKey, number>;
  readonly failedEvaluations: Map<ReleaseKey, Failure>;
  readonly failedBuilds: Map<DrvPath, Failure>;
  readonly hosts: Map<HostName, HostMemory>;
  holds: readonly HoldOn[];
  suspended: Memory['suspended'];
  overrides: readonly FactOf<'override'>[];
  approvals: readonly FactOf<'approved'>[];
  rollout: Rollout | undefined;
  halted: Memory['halted'];
  readonly proven: Set<string>;
  readonly outcomes: FactOf<'outcome'>[];
  readonly outcomeOf: Map<DeploymentId, FactOf<'outcome'>>;
  readonly acts: Act[];
}

/** What is known of a host so far. */
export function hostOf(draft: Draft, host: HostName): HostMemory {
  return draft.hosts.get(host) ?? blankHost;
}

/** Puts parts of what is known of a host in the place of what was known. */
export function change(draft: Draft, host: HostName, part: Partial<HostMemory>): void {
  draft.hosts.set(host, { ...hostOf(draft, host), ...part });
}
