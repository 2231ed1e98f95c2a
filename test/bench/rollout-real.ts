import { readLedger } from '../support/varve.ts';
import { activateByHand } from './bare.ts';
import { median, medianRatio, spread, timed } from './measure.ts';
import { figure, type Measured } from './report.ts';
import { startWatchedFleet, type WatchedFleet } from './watched-fleet.ts';

const count = 20;

/**
 * One commit that changes every host, against the slowest host's own bare activation: the same switch by hand, on all
 * hosts at the same time, since they share the processors in ours as well. Bare, everything is built and pushed
 * already; so what is compared is the activation, from the first intent to the last confirmation. The whole way from
 * the push on is told beside it: evaluation, 20 builds and pushes are in that.
 */
export async function* benchRolloutReal(runs: number): AsyncGenerator<Measured> {
  const names = Array.from({ length: count }, (_, index) => `web${index + 1}`);
  const watched = await startWatchedFleet(names);
  const { fleet, push, phases, close } = watched;
  try {
    const toplevels = async (): Promise<ReadonlyMap<string, string>> =>
      new Map(
        await Promise.all(names.map(async (name) => [name, (await fleet.systems(name)).current] as const)),
      );
    const byHand = (to: ReadonlyMap<string, string>): Promise<readonly number[]> =>
      Promise.all(names.map((name) => timed(() => activateByHand(fleet.host(name), to.get(name) ?? ''))));
    const texts = new Map<string, string>();
    for (const name of names) texts.set(`hosts/${name}.nix`, await fleet.repo.read(`hosts/${name}.nix`));
    const change = (round: number): Promise<string> => {
      const edits: Record<string, string> = {};
      for (const [path, text] of texts) {
        edits[path] = text.replace(/text = "[^"]*"/, `text = "round ${round}"`);
      }
      return fleet.repo.commit(`Round ${round}`, edits);
    };

    const [whole, ours, theirs]: [number[], number[], number[]] = [[], [], []];
    const revisions: string[] = [];
    // Round 0 does not count: connections, caches and compiled code are then as in a service that has run for a while.
    for (let round = 0; round <= runs; round += 1) {
      const before = await toplevels();
      const revision = await change(round);
      const took = await push(names);
      const wanted = await toplevels();
      if (names.some((name) => wanted.get(name) === before.get(name)))
        throw new Error('a host did not change');
      // Back and there again, so that the hosts end as Varve knows them.
      await byHand(before);
      const bare = await byHand(wanted);
      if (round === 0) continue;
      revisions.push(revision);
      whole.push(took);
      ours.push(await activationMs(watched, revision));
      theirs.push(Math.max(...bare));
    }
    const slowest = { bench: 'rollout-real', theirs: median(theirs), unit: 'ms', runs } as const;
    yield {
      figure: figure({ ...slowest, case: `${count} hosts, activation`, ours: median(ours) }),
      notes: [
        `at most 1.6 times the slowest host's bare activation, all hosts at once; first intent to last confirmation; ours ${spread(ours)}, theirs ${spread(theirs)}; median of the runs’ own ratios ${medianRatio(ours, theirs)}`,
      ],
    };
    yield {
      figure: figure({ ...slowest, case: `${count} hosts, from the push on`, ours: median(whole) }),
      notes: [
        `with evaluation, ${count} builds and pushes, which the bare activation has behind it; ours ${spread(whole)}`,
        ...(await phases(revisions)),
      ],
    };
  } finally {
    await close();
  }
}

/** From the first intent of a revision in the ledger to the last confirmation. */
async function activationMs({ fleet }: WatchedFleet, revision: string): Promise<number> {
  const facts = await readLedger(fleet.varve.dataDir);
  const begun = facts.flatMap((fact) =>
    fact.kind === 'intent' && fact.aim.revision === revision ? [fact.at] : [],
  );
  const confirmed = facts.flatMap((fact) =>
    fact.kind === 'outcome' && fact.aim.revision === revision ? [fact.timeline.succeeded ?? Number.NaN] : [],
  );
  if (confirmed.length !== count) throw new Error(`${confirmed.length} of ${count} hosts were confirmed`);
  return Math.max(...confirmed) - Math.min(...begun);
}
