import { afterAll, beforeAll, describe, it } from 'vitest';
import { expectDoneOnce, doneOn, patientManifest } from '../support/crash.ts';
import { eventually } from '../support/eventually.ts';
import { countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

/** Where the guard can be made to stand still on its way, in this order. */
const points = [
  'recorded',
  'spawned',
  'running',
  'before-switch',
  'after-switch',
  'confirmed',
  'profile-set',
  'boot-set',
] as const;

const victims = ['controller', 'worker', 'both'] as const;

/** The programs die while the guard is at one of its own points; it goes on without them. */
describe('every point of the guard at which the programs may die', () => {
  let fleet: Fleet;
  let round = 0;
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

  const onHost = async (script: string): Promise<string> =>
    (await fleet.host('web1').exec(['sh', '-c', script])).stdout.trim();

  const cells = points.flatMap((point) => victims.map((victim) => [victim, point] as const));
  it.each(cells)('an update: %s, while the guard is at `%s`', async (victim, point) => {
    const { varve } = fleet;
    const before = await doneOn(fleet, 'web1');
    const fault = `/nix/var/varve/faults/${point}`;
    await onHost(`mkdir -p /nix/var/varve/faults && echo stop > ${fault}`);
    round += 1;
    const text = await fleet.repo.read('hosts/web1.nix');
    const revision = await fleet.repo.commitAndPush(`Round ${round}`, {
      'hosts/web1.nix': text.replace(/text = "[^"]*"/, `text = "round ${round}"`),
    });
    await varve.sync();
    const stopped = 'awk \'$3 == "T" { print $1 }\' /proc/[0-9]*/stat 2> /dev/null';
    const standing = await eventually(
      async () => (await onHost(`[ -e ${fault} ] || ${stopped}`)) || undefined,
      {
        what: `the guard stands at ${point}`,
        deadlineMs: 60_000,
      },
    );
    const dying = victim === 'both' ? [varve.controller, varve.worker] : [varve[victim]];
    await Promise.all(dying.map((program) => program.kill()));
    await onHost(`kill -CONT ${standing.replaceAll('\n', ' ')}`);
    await Promise.all(dying.map((program) => program.start()));
    await varve.settle(revision);
    await expectDoneOnce(fleet, 'web1', revision, before);
  });
});
