import type { ProbeReport, ProbeTarget } from '../../../shared/domain/contact.ts';
import type { StorePath } from '../../../shared/domain/names.ts';
import type { Machine } from './machine.ts';

/** Points the profile to a system; a new generation unless it is there already. */
export function setProfile(machine: Machine, toplevel: StorePath): void {
  if (machine.profile === toplevel) return;
  machine.profile = toplevel;
  machine.profileGeneration += 1;
  machine.generations.set(machine.profileGeneration, toplevel);
}

/** Back to a generation; a newer one goes. */
export function restoreProfile(machine: Machine, generation: number, toplevel: StorePath): void {
  if (machine.profileGeneration !== generation) machine.generations.delete(machine.profileGeneration);
  machine.profile = toplevel;
  machine.profileGeneration = generation;
  machine.generations.set(generation, toplevel);
}

/** What the host does by itself when generations are to go: nothing, if it is not what was thought. */
export function tidyProfile(machine: Machine, { tidy }: ProbeTarget): void {
  if (
    tidy === undefined ||
    machine.profileGeneration !== tidy.generation ||
    machine.profile !== tidy.profile
  ) {
    return;
  }
  const { generations, current, booted, profile } = machine;
  const held = (): StorePath[] =>
    [current, booted, profile].filter((system) => [...generations.values()].includes(system));
  const before = held().length;
  for (const number of tidy.generations) generations.delete(number);
  if (held().length < before || generations.get(machine.profileGeneration) !== profile) {
    throw new Error(`${machine.name} was to lose the generation of what it runs or boots`);
  }
}

/** The generations as a probe lists them. */
export function listProfile(machine: Machine, { retain }: ProbeTarget): ProbeReport['generations'] {
  const { generations } = machine;
  if (retain?.keep === undefined || generations.size <= retain.keep) return [];
  return [...generations]
    .map(([number, toplevel]) => ({ number, toplevel }))
    .toSorted((a, b) => b.number - a.number);
}

/** In which way the machine is not as it was expected to be; who did it, and when, nothing here writes down. */
export function driftOf(machine: Machine, { expected }: ProbeTarget, busy: boolean): ProbeReport['drift'] {
  if (expected === undefined || busy || machine.records.size > 0) return undefined;
  const { runs, boots } = expected;
  const { current, booted, profile, profileGeneration, bootDefault, generations } = machine;
  const unknown = { at: undefined, sightings: [] };
  if (boots !== undefined && profile !== boots) {
    return { kind: 'profile', generation: profileGeneration, ...unknown };
  }
  if (runs !== undefined && current !== runs) {
    const numbers = [...generations].flatMap(([number, system]) => (system === current ? [number] : []));
    const kind = current === booted ? 'booted' : 'switched';
    return { kind, generation: numbers.toSorted((a, b) => b - a)[0], ...unknown };
  }
  return boots === undefined || bootDefault === boots
    ? undefined
    : { kind: 'boot-default', generation: undefined, ...unknown };
}
