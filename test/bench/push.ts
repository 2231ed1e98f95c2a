import { setTimeout as pause } from 'node:timers/promises';

import type { Closure } from '../support/private-store.ts';
import { median, medianRatio, spread } from './measure.ts';
import { pushCases, type PushCase, type Way } from './push-cases.ts';
import { startPushStage, type Cost, type PushStage, type Receiver } from './push-stage.ts';
import { figure, type Measured } from './report.ts';

/**
 * Our push against `nix copy`, to real hosts at the end of a line of a given round-trip time. Ours is a process that runs
 * on, as a worker is, and a push ends when the closure is rooted on the host; theirs is a process for each copy, as people
 * have it, without a shared connection, and roots nothing.
 */
export function benchPush(runs: number): AsyncGenerator<Measured> {
  return benchPushCases(pushCases, runs);
}

/** The same, for some of the cases. */
export async function* benchPushCases(cases: readonly PushCase[], runs: number): AsyncGenerator<Measured> {
  // All but the last case need two hosts, and more would only take processor time.
  for (const hosts of new Set(cases.map((it) => it.hosts))) {
    const receivers = Array.from({ length: hosts }, (_, index) => `web${index + 1}`);
    const stage = await startPushStage([...receivers, 'spare']);
    try {
      for (const it of cases.filter((other) => other.hosts === hosts)) yield* measure(stage, it, runs);
    } finally {
      await stage.close();
    }
  }
}

async function* measure(stage: PushStage, it: PushCase, runs: number): AsyncGenerator<Measured> {
  const { promised } = it;
  const ways = [...new Set(promised.flatMap(({ ours, theirs }): Way[] => [ours, theirs]))];
  const costs = new Map<Way, Cost[]>(ways.map((way) => [way, []]));
  const targets = stage.hosts.slice(0, it.hosts);
  const receivers = await Promise.all(targets.map((host) => stage.receiver(host, it.roundTripMs)));
  const same = it.once ? await stage.newClosure(it.closure) : undefined;
  let size: Closure | undefined;
  // Round 0 does not count: connections, caches and compiled code are then as in a service that has run for a while.
  for (let round = 0; round <= runs; round += 1) {
    const closure = same ?? (await stage.newClosure(it.closure));
    size = closure;
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      await prepare(stage, it, receivers, closure, way);
      // As between any two pushes: what the last one left to do, like opening channels for the next, is done.
      await pause(200 + 5 * it.roundTripMs);
      const cost =
        way === 'warm' || way === 'cold'
          ? await stage.ours(receivers, closure)
          : await stage.theirs(receivers, closure, way);
      for (const { host } of receivers) {
        if (!(await stage.has(host, closure))) throw new Error(`${way}: ${host.name} did not get it`);
      }
      if (round > 0) costs.get(way)?.push(cost);
    }
    await Promise.all(stage.hosts.map((host) => stage.clear(host)));
  }
  const value = (cost: Cost): number => (it.of === 'time' ? cost.ms : cost.processorMs);
  for (const { ours, theirs, atLeast } of promised) {
    const [mine, other] = [ours, theirs].map((way) => costs.get(way) ?? []);
    const [a, b] = [(mine ?? []).map(value), (other ?? []).map(value)];
    yield {
      figure: figure({
        bench: 'push',
        case: `${it.name}, ${ours}, to ${theirs}`,
        ours: median(a),
        theirs: median(b),
        unit: 'ms',
        runs,
        atLeast,
      }),
      notes: [
        `nix copy to ${theirs}, which roots nothing, is to take at least ${atLeast} times as much; ours ${spread(a)}, theirs ${spread(b)}; median of the runs’ own ratios ${medianRatio(b, a)}`,
        `${size?.paths ?? 0} paths, ${((size?.bytes ?? 0) / 1e6).toFixed(1)} MB; ${others(it, mine ?? [], other ?? [])}`,
      ],
    };
  }
}

/** What is not compared, for people. */
function others(it: PushCase, ours: readonly Cost[], theirs: readonly Cost[]): string {
  const processor = it.of === 'time';
  const values = [ours, theirs].map((costs) =>
    Math.round(median(costs.map((cost) => (processor ? cost.processorMs : cost.ms)))),
  );
  return `${processor ? 'processor time of the sender' : 'time until the last host has it'}: ours ${values[0]} ms, theirs ${values[1]} ms`;
}

/** Brings hosts and senders to where a way begins. */
async function prepare(
  stage: PushStage,
  it: PushCase,
  receivers: readonly Receiver[],
  closure: Closure,
  way: Way,
): Promise<void> {
  const spare = stage.hosts.at(-1);
  if (spare === undefined) throw new RangeError('no spare host');
  if (way === 'cold') await stage.beginAnew();
  if (way === 'warm') {
    // Whoever pushes it to one host that is not near has the archives for the next.
    await stage.clear(spare);
    await stage.ours([await stage.receiver(spare, 40)], closure);
  }
  await Promise.all(receivers.map(({ host }) => stage.clear(host)));
  if (it.there) await stage.ours(receivers, closure);
  if (way === 'warm' && !it.there) {
    // So that there is a connection to each.
    await stage.ours(receivers, await stage.newClosure({ kind: 'tiny', paths: 1 }));
  }
  if (it.there) return;
  for (const { host } of receivers) {
    if (await stage.has(host, closure)) throw new Error(`${host.name} has it already`);
  }
}
