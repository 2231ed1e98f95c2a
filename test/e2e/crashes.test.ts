import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patientManifest, surviveCrash, type Crash } from '../support/crash.ts';
import { eventually } from '../support/eventually.ts';
import {
  activationsOn,
  countingActivations,
  expectDesiredSystem,
  expectEveryIntentToHaveOneOutcome,
} from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

/** On the way of one commit to one host, in its order. */
const crashes: readonly Crash[] = [
  {
    program: 'controller',
    point: 'before-ledger-commit',
    passing: 2,
    moment: 'before it writes down the observation',
  },
  { program: 'controller', point: 'before-create', passing: 1, moment: 'before the deployment exists' },
  { program: 'controller', point: 'after-create', passing: 1, moment: 'when the deployment exists' },
  { program: 'controller', point: 'before-enqueue', passing: 4, moment: 'before a job is in the queue' },
  { program: 'controller', point: 'after-enqueue', passing: 4, moment: 'when a job is in the queue' },
  {
    program: 'worker',
    point: 'before-compare-and-set',
    passing: 2,
    moment: 'before it tells of the delivery',
  },
  {
    program: 'controller',
    point: 'after-ledger-commit',
    passing: 4,
    moment: 'when the intent is written down',
    dies: 'both',
  },
  {
    program: 'worker',
    point: 'after-compare-and-set',
    passing: 3,
    moment: 'when it has said that it activates',
  },
  { program: 'worker', point: 'before-guard-send', passing: 1, moment: 'before anything goes to the guard' },
  { program: 'worker', point: 'after-guard-send', passing: 1, moment: 'while the guard is called' },
  {
    program: 'worker',
    point: 'after-guard-send',
    passing: 2,
    moment: 'when the host has switched',
    dies: 'both',
  },
  { program: 'worker', point: 'before-acknowledge', passing: 1, moment: 'before it acknowledges' },
  {
    program: 'worker',
    point: 'after-acknowledge',
    passing: 1,
    moment: 'when it has acknowledged',
    dies: 'both',
  },
  {
    program: 'controller',
    point: 'after-ledger-commit',
    passing: 4,
    moment: 'after the intent, before the job',
    dies: 'redis',
  },
  {
    program: 'worker',
    point: 'after-guard-send',
    passing: 2,
    moment: 'before anybody is told that the host has switched',
    dies: 'redis',
  },
];

describe('a program that is killed in the middle of a rollout', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({
      hosts: ['web1'],
      manifest: patientManifest,
      edits: await countingActivations(),
      workerLostAfterSeconds: 2,
    });
    await fleet.varve.settle(fleet.first);
  });
  afterAll(() => fleet.close());

  async function say(text: string): Promise<string> {
    const before = await fleet.repo.read('hosts/web1.nix');
    return fleet.repo.commitAndPush(text, {
      'hosts/web1.nix': before.replace(/text = "[^"]*"/, `text = "${text}"`),
    });
  }

  for (const crash of crashes) {
    const { program, moment, dies = 'itself' } = crash;
    const who = { itself: `the ${program}`, both: `the ${program}, and the other with it`, redis: 'Redis' };
    it(`ends as if nothing had happened: ${who[dies]}, ${moment}`, async () => {
      await surviveCrash(fleet, 'web1', crash, () => say(moment));
    });
  }

  it.each(['before-compare-and-set', 'after-compare-and-set'] as const)(
    'ends on the newest commit when the controller dies while it gives up an older one (%s)',
    async (point) => {
      const { varve } = fleet;
      const activations = await activationsOn(fleet.host('web1'));
      await varve.controller.kill();
      // What is to be given up must still be on its way when the next commit comes.
      const toplevel = await fleet.repo.read('lib/toplevel.nix');
      const slow = toplevel.replace('mkdir -p "$out/bin"', 'sleep 60; $&');
      await fleet.repo.commit(`Take a minute to build, ${point}`, { 'lib/toplevel.nix': slow });
      const older = await say(`slow ${point}`);
      await varve.controller.start({ VARVE_FAULT_POINT: `kill:${point}:1` });
      await eventually(async () => (await varve.host('web1')).deployment?.phase === 'delivering', {
        what: 'the slow system is being built',
        deadlineMs: 60_000,
      });
      await fleet.repo.commit('Build quickly again', { 'lib/toplevel.nix': toplevel });
      const newest = await say(`quick ${point}`);
      await varve.sync();
      await eventually(() => varve.controller.killed(), {
        what: `the controller dies at ${point}`,
        deadlineMs: 60_000,
      });
      await varve.controller.start();
      await varve.settle(newest);
      await expectDesiredSystem(fleet, 'web1');
      expect(await activationsOn(fleet.host('web1'))).toBe(activations + 1);
      const outcomes = await expectEveryIntentToHaveOneOutcome(fleet);
      const ends = outcomes.filter(({ aim }) => aim.revision === older).map(({ phase }) => phase);
      expect(ends).toEqual(['superseded']);
    },
  );
});
