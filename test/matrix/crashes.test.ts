import { afterAll, beforeAll, describe, it } from 'vitest';
import { every, nameOf, ways } from '../support/crash-points.ts';
import { faultOf, patientManifest, surviveCrash, surviveCrashAtFirst } from '../support/crash.ts';
import { countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

const options = async () => ({
  hosts: ['web1'],
  manifest: patientManifest,
  edits: await countingActivations(),
  workerLostAfterSeconds: 2,
});

describe('every moment at which a program, or Redis, may die', () => {
  let fleet: Fleet;
  let round = 0;
  beforeAll(async () => {
    fleet = await startFleet(await options());
    await fleet.varve.settle(fleet.first);
  });
  afterAll(() => fleet.close());

  async function push(): Promise<string> {
    round += 1;
    const before = await fleet.repo.read('hosts/web1.nix');
    return fleet.repo.commitAndPush(`Round ${round}`, {
      'hosts/web1.nix': before.replace(/text = "[^"]*"/, `text = "round ${round}"`),
    });
  }

  for (const crash of every(ways.update)) {
    it(`an update: ${nameOf(crash)}`, () => surviveCrash(fleet, 'web1', crash, push));
  }

  for (const crash of every(ways.revert)) {
    it(`a revert: ${nameOf(crash)}`, async () => {
      const revision = await push();
      await fleet.varve.sync();
      await fleet.varve.settle(revision);
      await surviveCrash(fleet, 'web1', crash, async () => {
        const reverted = await fleet.repo.revert(revision);
        await fleet.repo.push();
        return reverted;
      });
    });
  }
});

describe('every moment at which a program, or Redis, may die while it deploys for the first time', () => {
  for (const crash of every(ways.firstDeploy)) {
    it(`a first deploy: ${nameOf(crash)}`, async () => {
      const fleet = await startFleet({ ...(await options()), faults: { [crash.program]: faultOf(crash) } });
      try {
        await surviveCrashAtFirst(fleet, 'web1', crash);
      } finally {
        await fleet.close();
      }
    });
  }
});
