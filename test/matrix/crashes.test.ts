import { afterAll, beforeAll, describe, it } from 'vitest';
import { faultPointNames, type FaultPointName } from '../../shared/platform/ports/faults.ts';
import { faultOf, patientManifest, surviveCrash, surviveCrashAtFirst, type Crash } from '../support/crash.ts';
import { countingActivations } from '../support/evidence.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';

/** How often a program passes its points on the way of one commit that the other needs nothing else for. */
type Passings = Readonly<Partial<Record<FaultPointName, number>>>;

const workerPassings: Passings = {
  'before-compare-and-set': 5,
  'after-compare-and-set': 5,
  'before-guard-send': 2,
  'after-guard-send': 2,
  'before-acknowledge': 1,
  'after-acknowledge': 1,
};

function controllerPassings(ledgerCommits: number, jobs: number): Passings {
  return {
    'before-create': 1,
    'after-create': 1,
    'before-enqueue': jobs,
    'after-enqueue': jobs,
    'before-ledger-commit': ledgerCommits,
    'after-ledger-commit': ledgerCommits,
  };
}

function every(controller: Passings): readonly Crash[] {
  const of = (victim: Crash['victim'], passings: Passings): readonly Crash[] =>
    Object.entries(passings).flatMap(([name, count]) => {
      const point = pointNamed(name);
      return Array.from({ length: count }, (_, i) => ({
        victim,
        point,
        passing: i + 1,
        moment: `${name} ${i + 1}`,
      }));
    });
  return [...of('controller', controller), ...of('worker', workerPassings)];
}

function pointNamed(name: string): FaultPointName {
  const known = faultPointNames.find((each) => each === name);
  if (known === undefined) throw new Error(`no fault point ${name}`);
  return known;
}

function together(crashes: readonly Crash[]): readonly Crash[] {
  return crashes.map((crash) => ({ ...crash, both: true }));
}

function nameOf({ victim, moment, both }: Crash): string {
  return `${victim}${both ? ' and with it the other' : ''}, ${moment}`;
}

const options = async () => ({
  hosts: ['web1'],
  manifest: patientManifest,
  edits: await countingActivations(),
  workerLostAfterSeconds: 2,
});

describe('every moment at which a program may die', () => {
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

  const updates = every(controllerPassings(5, 4));
  for (const crash of [...updates, ...together(updates)]) {
    it(`an update: ${nameOf(crash)}`, () => surviveCrash(fleet, 'web1', crash, push));
  }

  // Its release is known: one fact and one job less.
  for (const crash of every(controllerPassings(4, 3))) {
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

describe('every moment at which a program may die while it deploys for the first time', () => {
  for (const crash of every(controllerPassings(5, 4))) {
    it(`a first deploy: ${nameOf(crash)}`, async () => {
      const fleet = await startFleet({ ...(await options()), faults: { [crash.victim]: faultOf(crash) } });
      try {
        await surviveCrashAtFirst(fleet, 'web1', crash);
      } finally {
        await fleet.close();
      }
    });
  }
});
