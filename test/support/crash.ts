import { expect } from 'vitest';
import type { FaultPointName } from '../../shared/platform/ports/faults.ts';
import { eventually } from './eventually.ts';
import { activationsOn, expectDesiredSystem, expectEveryIntentToHaveOneOutcome } from './evidence.ts';
import type { Fleet } from './fleet.ts';

/** One way to die in the middle of a rollout. */
export interface Crash {
  readonly victim: 'controller' | 'worker';
  readonly point: FaultPointName;
  /** Which passing of the point since the program was started is its last. */
  readonly passing: number;
  readonly moment: string;
  /** The other program dies in the same moment. */
  readonly both?: true;
}

/** Timeouts under which another worker still has the time to confirm what a dead one began. */
export const patientManifest =
  'adopt: auto\ndefaults: { timeouts: { activation: 30s, confirm: 30s, settle: 1ms, build: 2m, push: 1m } }\n';

/**
 * Pushes a commit while the victim is away, starts it so that it dies on the way, starts it again, and expects the host
 * to be where it should be: activated once, with one intent and one outcome for whatever was to be activated.
 */
export async function surviveCrash(
  fleet: Fleet,
  host: string,
  crash: Crash,
  push: () => Promise<string>,
): Promise<void> {
  const { varve } = fleet;
  const victim = varve[crash.victim];
  const before = await doneOn(fleet, host);
  await victim.kill();
  const revision = await push();
  await victim.start({ VARVE_FAULT_POINT: faultOf(crash) });
  if (crash.victim === 'worker') await varve.sync();
  await dieAndComeBack(fleet, crash);
  await varve.settle(revision);
  await expectDoneOnce(fleet, host, revision, before);
}

/** The same for the first deploy, on a fleet that was started with `faultOf(crash)` in the victim's environment. */
export async function surviveCrashAtFirst(fleet: Fleet, host: string, crash: Crash): Promise<void> {
  await dieAndComeBack(fleet, crash);
  await fleet.varve.settle(fleet.first);
  // The system that every host comes with is the first generation of its profile.
  await expectDoneOnce(fleet, host, fleet.first, { activations: 0, generations: 1 });
}

/** What a program is told in its environment so that it dies there. */
export function faultOf({ point, passing }: Crash): string {
  return `kill:${point}:${passing}`;
}

async function dieAndComeBack({ varve }: Fleet, crash: Crash): Promise<void> {
  const victim = varve[crash.victim];
  const other = crash.victim === 'controller' ? varve.worker : varve.controller;
  await eventually(() => !victim.running(), {
    what: `the ${crash.victim} dies at ${crash.point}`,
    deadlineMs: 90_000,
  });
  if (crash.both) await other.kill();
  await Promise.all([victim.start(), ...(crash.both ? [other.start()] : [])]);
}

interface Done {
  readonly activations: number;
  readonly generations: number;
}

export async function doneOn(fleet: Fleet, host: string): Promise<Done> {
  const { profileGenerations } = await fleet.systems(host);
  return { activations: await activationsOn(fleet.host(host)), generations: profileGenerations.length };
}

export async function expectDoneOnce(
  fleet: Fleet,
  host: string,
  revision: string,
  before: Done,
): Promise<void> {
  await expectDesiredSystem(fleet, host);
  expect(await doneOn(fleet, host)).toEqual({
    activations: before.activations + 1,
    generations: before.generations + 1,
  });
  const outcomes = await expectEveryIntentToHaveOneOutcome(fleet);
  expect(
    outcomes.filter(({ aim, phase }) => aim.revision === revision && phase === 'succeeded'),
  ).toHaveLength(1);
}
