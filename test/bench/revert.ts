import { activateByHand } from './bare.ts';
import { interleaved, median, medianRatio, spread, timed } from './measure.ts';
import { figure, type Measured } from './report.ts';
import { startWatchedFleet } from './watched-fleet.ts';

/**
 * Push of a revert until every host is confirmed on the old toplevel, against the same switch by hand, all hosts at the
 * same time. Every host changes in the commit that is reverted.
 */
export async function benchRevert(hosts: number, runs: number): Promise<Measured> {
  const names = Array.from({ length: hosts }, (_, index) => `web${index + 1}`);
  const { fleet, push, phases, close } = await startWatchedFleet(names);
  try {
    const toplevels = async (): Promise<ReadonlyMap<string, string>> =>
      new Map(
        await Promise.all(names.map(async (name) => [name, (await fleet.systems(name)).current] as const)),
      );
    const byHand = (to: ReadonlyMap<string, string>): Promise<unknown> =>
      Promise.all(names.map((name) => activateByHand(fleet.host(name), to.get(name) ?? '')));

    const good = await toplevels();
    let bad: ReadonlyMap<string, string> | undefined;
    const texts = new Map<string, string>();
    for (const name of names) texts.set(`hosts/${name}.nix`, await fleet.repo.read(`hosts/${name}.nix`));
    const edits = Object.fromEntries(
      [...texts].map(([path, text]) => [path, text.replace(/text = "[^"]*"/, 'text = "a mistake"')]),
    );
    const mistake = async (): Promise<string> => {
      const revision = await fleet.repo.commit('A mistake on every host', edits);
      await push(names);
      return revision;
    };

    // Once before it counts: connections, caches and compiled code are then as in a service that has run for a while.
    await fleet.repo.revert(await mistake());
    await push(names);
    const reverts: string[] = [];
    const { ours, theirs } = await interleaved(runs, {
      async ours() {
        const revision = await mistake();
        bad ??= await toplevels();
        reverts.push(await fleet.repo.revert(revision));
        return push(names);
      },
      async theirs() {
        await byHand(bad ?? good);
        return timed(() => byHand(good));
      },
    });
    const again = await toplevels();
    if (names.some((name) => again.get(name) !== good.get(name))) throw new Error('the hosts are not back');
    return {
      figure: figure({
        bench: 'revert',
        case: `${hosts} hosts`,
        ours: median(ours),
        theirs: median(theirs),
        unit: 'ms',
        runs,
      }),
      notes: [
        `at most 1.5 times the bare act by hand; ours ${spread(ours)}, theirs ${spread(theirs)}; median of the runs’ own ratios ${medianRatio(ours, theirs)}`,
        ...(await phases(reverts)),
      ],
    };
  } finally {
    await close();
  }
}
