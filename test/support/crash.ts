import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { VerdictKind } from '../../shared/domain/verdict.ts';
import type { FaultPointName } from '../../shared/platform/ports/faults.ts';
import { eventually } from './eventually.ts';
import { activationsOn, expectDesiredSystem, expectEveryIntentToHaveOneOutcome } from './evidence.ts';
import type { Fleet } from './fleet.ts';

/** One way to die in the middle of a rollout. */
export interface Crash {
  /** Who comes to the point. */
  readonly program: 'controller' | 'worker';
  readonly point: FaultPointName;
  /** Which passing of the point since the program was started it is. */
  readonly passing: number;
  readonly moment: string;
  /** The program itself, unless told. */
  readonly dies?: Death;
}

/** The program that is at a point, both programs in that moment, or Redis under the one that is there. */
export type Death = 'itself' | 'both' | 'redis';

/** What becomes of a host by a commit. */
export interface Ending {
  readonly verdict: VerdictKind;
  expect(fleet: Fleet, host: string, revision: string, before: Done): Promise<void>;
}

/** What was done on a host so far, and what it runs. */
export interface Done {
  readonly activations: number;
  readonly generations: number;
  readonly current: string;
}

/** Timeouts under which another worker still has the time to confirm what a dead one began. */
export const patientManifest =
  'adopt: auto\ndefaults: { timeouts: { activation: 30s, confirm: 30s, settle: 1ms, build: 2m, push: 1m } }\n';

/** The host gets the commit. */
export const deployed: Ending = { verdict: 'in-sync', expect: expectDoneOnce };

/** The host tries the commit, and goes back by itself: once there, once back, and what it runs is what it ran. */
export const rolledBack: Ending = {
  verdict: 'stalled',
  async expect(fleet, host, revision, before) {
    await expectDone(fleet, host, { ...before, activations: before.activations + 2 });
    const outcomes = await expectEveryIntentToHaveOneOutcome(fleet);
    const ends = outcomes.filter(({ aim, phase }) => aim.revision === revision && phase !== 'failed');
    expect(ends).toMatchObject([{ phase: 'rolled-back', evidence: true }]);
  },
};

/**
 * Pushes a commit while the program is away, starts it so that somebody dies on the way, has all that died started
 * again, and expects the host to be where it should be: activated once, with one intent and one outcome for whatever was
 * to be activated.
 */
export async function surviveCrash(
  fleet: Fleet,
  host: string,
  crash: Crash,
  push: () => Promise<string>,
  ending = deployed,
): Promise<void> {
  const { varve } = fleet;
  const program = varve[crash.program];
  const before = await doneOn(fleet, host);
  await program.kill();
  const revision = await push();
  await program.start({ VARVE_FAULT_POINT: faultOf(crash) });
  if (crash.program === 'worker') await varve.sync();
  await dieAndComeBack(fleet, crash);
  await varve.settle(revision, ({ verdict }) => verdict === ending.verdict);
  await ending.expect(fleet, host, revision, before);
}

/** The same for the first deploy, on a fleet that was started with `faultOf(crash)` in the program's environment. */
export async function surviveCrashAtFirst(fleet: Fleet, host: string, crash: Crash): Promise<void> {
  await dieAndComeBack(fleet, crash);
  await fleet.varve.settle(fleet.first);
  // The system that every host comes with is the first generation of its profile.
  await expectDoneOnce(fleet, host, fleet.first, { activations: 0, generations: 1 });
}

/**
 * The same while a person has a host rolled back that runs the newest revision. Who gets no answer looks whether it was
 * heard, and says it again if not.
 */
export async function surviveCrashInRollBack(
  fleet: Fleet,
  host: string,
  crash: Crash,
  old: string,
): Promise<void> {
  const { varve } = fleet;
  const program = varve[crash.program];
  const revision = await fleet.repo.head();
  const before = await doneOn(fleet, host);
  const known = (await expectEveryIntentToHaveOneOutcome(fleet)).length;
  await program.kill();
  await program.start({ VARVE_FAULT_POINT: faultOf(crash) });
  if (crash.program === 'controller') await varve.settle(revision);
  const said = eventually(
    async () =>
      (await varve.host(host)).pin !== undefined ||
      (await varve.post(`/api/v1/hosts/${host}/rollback`, { reason: crash.moment })).status === 200,
    { what: 'somebody hears that the host is to go back', deadlineMs: 90_000 },
  );
  await Promise.all([said, dieAndComeBack(fleet, crash)]);
  await varve.settle(revision, ({ health }) => health === 'Held');
  await expectDone(fleet, host, {
    current: old,
    activations: before.activations + 1,
    generations: before.generations + 1,
  });
  const outcomes = await expectEveryIntentToHaveOneOutcome(fleet);
  const ends = outcomes.slice(known).filter(({ phase }) => phase !== 'failed');
  expect(ends).toMatchObject([{ phase: 'succeeded', aim: { host, toplevel: old } }]);
}

/** What a program is told in its environment so that it dies there, or stands still while Redis does. */
export function faultOf({ point, passing, dies }: Crash): string {
  return `${dies === 'redis' ? 'stop' : 'kill'}:${point}:${passing}`;
}

async function dieAndComeBack(fleet: Fleet, crash: Crash): Promise<void> {
  if (crash.dies === 'redis') return loseRedis(fleet, crash);
  const { varve } = fleet;
  const program = varve[crash.program];
  const other = crash.program === 'controller' ? varve.worker : varve.controller;
  await eventually(() => program.killed(), {
    what: `the ${crash.program} dies at ${crash.point}`,
    deadlineMs: 90_000,
  });
  if (crash.dies === 'both') await other.kill();
  await Promise.all([program.start(), ...(crash.dies === 'both' ? [other.start()] : [])]);
}

/** The program finds Redis gone in what it does next; Redis comes back with its data, as a supervisor brings it back. */
async function loseRedis({ varve }: Fleet, { program, point }: Crash): Promise<void> {
  const { redis } = varve;
  if (redis === undefined) throw new Error('this Redis is not ours to kill');
  const standing = varve[program];
  await eventually(async () => (await stateOf(standing.pid())) === 'T', {
    what: `the ${program} stands at ${point}`,
    deadlineMs: 90_000,
  });
  await redis.down();
  standing.resume();
  await redis.up();
}

/** `T` for a process that was stopped. */
async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0];
}

export async function doneOn(fleet: Fleet, host: string): Promise<Done> {
  const { profileGenerations, current } = await fleet.systems(host);
  return {
    activations: await activationsOn(fleet.host(host)),
    generations: profileGenerations.length,
    current,
  };
}

export async function expectDoneOnce(
  fleet: Fleet,
  host: string,
  revision: string,
  before: Pick<Done, 'activations' | 'generations'>,
): Promise<void> {
  await expectDesiredSystem(fleet, host);
  expect(await doneOn(fleet, host)).toMatchObject({
    activations: before.activations + 1,
    generations: before.generations + 1,
  });
  const outcomes = await expectEveryIntentToHaveOneOutcome(fleet);
  expect(
    outcomes.filter(({ aim, phase }) => aim.revision === revision && phase === 'succeeded'),
  ).toHaveLength(1);
}

/** What was done, and that the host would boot what it runs. */
async function expectDone(fleet: Fleet, host: string, done: Done): Promise<void> {
  const { profile, bootDefault } = await fleet.systems(host);
  expect({ profile, bootDefault }).toEqual({ profile: done.current, bootDefault: done.current });
  expect(await doneOn(fleet, host)).toEqual(done);
}
