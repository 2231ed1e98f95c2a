import type { Fact } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Wanted } from './wanted.ts';

type SystemsOf = ReadonlyMap<HostName, StorePath>;

/** How far rollouts came, told from the facts alone. */
export interface Rollouts {
  /** What is wanted has been learnt before. */
  appended(fact: Fact): void;
  /**
   * The host could not be reached when the rollout of the newest release began, or had been asked by then, and in vain; or
   * nothing has begun.
   */
  wasAbsent(host: HostName, awaySince: number | undefined): boolean;
  /** The wave has passed with just these systems: it stays open for them. */
  hasPassed(wave: string): boolean;
}

export function createRollouts(wanted: Wanted): Rollouts {
  const passed: { readonly wave: string; readonly systems: SystemsOf }[] = [];
  let begun:
    | { readonly observation: number; readonly at: number; readonly absent: ReadonlySet<HostName> }
    | undefined;

  function sameSystems(a: SystemsOf, b: SystemsOf): boolean {
    return a.size === b.size && [...a].every(([host, toplevel]) => b.get(host) === toplevel);
  }

  function newest(): number {
    return wanted.newest()?.observation.n ?? 0;
  }

  /** A commit that changes no system goes on with the rollout that it comes upon, any other one ends it. */
  function carryOver(): void {
    if (begun === undefined || begun.observation === newest() || !wanted.isEvaluated()) return;
    const goesOn = sameSystems(wanted.systemsOf(begun.observation), wanted.systemsOf(newest()));
    begun = goesOn ? { ...begun, observation: newest() } : undefined;
  }

  return {
    wasAbsent: (host, awaySince) =>
      begun?.observation !== newest() ||
      begun.absent.has(host) ||
      (awaySince !== undefined && awaySince < begun.at),
    hasPassed(wave) {
      const systems = new Map(
        wanted.hosts().flatMap((host) => {
          const toplevel = wanted.on(host);
          return toplevel === undefined ? [] : [[host, toplevel] as const];
        }),
      );
      return passed.some((one) => one.wave === wave && sameSystems(one.systems, systems));
    },
    appended(fact) {
      if (fact.kind === 'observation' || fact.kind === 'release') carryOver();
      if (fact.kind !== 'rollout') return;
      const { observation, change } = fact;
      if (change.kind === 'began') begun = { observation, at: fact.at, absent: new Set(change.absent) };
      if (change.kind === 'wave-passed') {
        passed.push({ wave: change.wave, systems: wanted.systemsOf(observation) });
      }
    },
  };
}
