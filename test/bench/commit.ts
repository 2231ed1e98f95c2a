import { handCheckout } from './bare.ts';
import { interleaved, median, medianRatio, spread, timed } from './measure.ts';
import { figure, type Measured } from './report.ts';
import { startWatchedFleet } from './watched-fleet.ts';

/**
 * Push of a change of one host until it is confirmed, against `nix build`, `nix copy` and the switch by hand. Each
 * change is new to both: each evaluates, builds and copies.
 */
export async function benchCommit(runs: number): Promise<Measured> {
  const { fleet, push, phases, close } = await startWatchedFleet(['web1', 'web2', 'batch1']);
  try {
    const host = fleet.host('web1');
    const path = 'hosts/web1.nix';
    const text = /text = "[^"]*"/;
    const hand = await handCheckout(fleet.dir, fleet.repo);
    let round = 0;
    const changes: string[] = [];
    const sides = {
      async ours() {
        round += 1;
        const before = await fleet.repo.read(path);
        const edits = { [path]: before.replace(text, `text = "pushed ${round}"`) };
        changes.push(await fleet.repo.commit('A change', edits));
        return push([host.name]);
      },
      async theirs() {
        await hand.prepare(path, text, `text = "by hand ${round}"`);
        return timed(() => hand.deploy(host));
      },
    };
    // Once before it counts: connections, caches and compiled code are then as in a service that has run for a while.
    await sides.ours();
    await sides.theirs();
    const { ours, theirs } = await interleaved(runs, sides);
    return {
      figure: figure({
        bench: 'commit',
        case: 'one of 3 hosts',
        ours: median(ours),
        theirs: median(theirs),
        unit: 'ms',
        runs,
      }),
      notes: [
        `at most 1.3 times a script's nix build, nix copy and switch; ours ${spread(ours)}, theirs ${spread(theirs)}; median of the runs’ own ratios ${medianRatio(ours, theirs)}`,
        ...(await phases(changes.slice(1))),
      ],
    };
  } finally {
    await close();
  }
}
