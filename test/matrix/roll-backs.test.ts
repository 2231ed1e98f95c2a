import { afterAll, beforeAll, describe, it } from 'vitest';
import { every, nameOf, ways } from '../support/crash-points.ts';
import { patientManifest, rolledBack, surviveCrash, surviveCrashInRollBack } from '../support/crash.ts';
import { countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

const file = 'hosts/web1.nix';

async function start(): Promise<Fleet> {
  const fleet = await startFleet({
    hosts: ['web1'],
    manifest: patientManifest,
    edits: await countingActivations(),
    workerLostAfterSeconds: 2,
  });
  await fleet.varve.settle(fleet.first);
  return fleet;
}

describe('every moment at which a program, or Redis, may die while a person has a host rolled back', () => {
  let fleet: Fleet;
  let old: string;
  beforeAll(async () => {
    fleet = await start();
    old = (await fleet.systems('web1')).current;
    await fleet.varve.settle(await fleet.change(file, 'hello from web1', 'something bad'));
  });
  afterAll(() => fleet.close());

  /** Lets the host go to the newest revision, from where the roll back before has left it. */
  async function followAgain(): Promise<void> {
    const { varve } = fleet;
    if ((await varve.host('web1')).hold !== undefined) await varve.post('/api/v1/release', { scope: 'web1' });
    await varve.settle(await fleet.repo.head());
  }

  for (const crash of every(ways.rollBackByPerson)) {
    it(`a roll back by a person: ${nameOf(crash)}`, async () => {
      await followAgain();
      await surviveCrashInRollBack(fleet, 'web1', crash, old);
    });
  }
});

describe('every moment at which a program, or Redis, may die while a host goes back by itself', () => {
  let fleet: Fleet;
  let good: string;
  let round = 0;
  beforeAll(async () => {
    fleet = await start();
    good = await fleet.repo.read(file);
  });
  afterAll(() => fleet.close());

  async function push(): Promise<string> {
    round += 1;
    const broken = good.replace('hello from web1', `broken ${round}`);
    return fleet.repo.commitAndPush(`Broken ${round}`, {
      [file]: broken.replace(/\}\s*$/, '  faults.unit = "fails";\n}\n'),
    });
  }

  for (const crash of every(ways.rollBackByHost)) {
    it(`a roll back by its host: ${nameOf(crash)}`, () =>
      surviveCrash(fleet, 'web1', crash, push, rolledBack));
  }
});
