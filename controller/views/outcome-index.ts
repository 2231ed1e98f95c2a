import type { FactOf } from '../../shared/domain/facts.ts';
import type { Memory } from '../../shared/domain/memory.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';

type Outcome = FactOf<'outcome'>;

/** How the deployments of one host ended. */
export interface HostOutcomes {
  /** Those for one observation, oldest first. */
  attemptsAt(n: number): readonly Outcome[];
  /** The toplevel that the host had been brought to when an observation came. */
  runningBefore(n: number): StorePath | undefined;
}

interface Index {
  /** How many of the memory's outcomes are in here. */
  read: number;
  readonly byHost: Map<HostName, HostIndex>;
}

interface HostIndex extends HostOutcomes {
  add(outcome: Outcome): void;
}

/** A leadership has one list of outcomes, which only grows: each view takes in what is new since the one before. */
const indexes = new WeakMap<readonly Outcome[], Index>();

const none: HostOutcomes = { attemptsAt: () => [], runningBefore: () => undefined };

/** The outcomes by host. Looking one up costs the same, however long the history is. */
export function outcomesByHost({ outcomes }: Memory): (host: HostName) => HostOutcomes {
  const index = indexes.get(outcomes) ?? { read: 0, byHost: new Map<HostName, HostIndex>() };
  indexes.set(outcomes, index);
  for (; index.read < outcomes.length; index.read += 1) {
    const outcome = outcomes[index.read];
    if (outcome === undefined) continue;
    const ofHost = index.byHost.get(outcome.aim.host) ?? createHostIndex();
    index.byHost.set(outcome.aim.host, ofHost);
    ofHost.add(outcome);
  }
  return (host) => index.byHost.get(host) ?? none;
}

function createHostIndex(): HostIndex {
  const attempts = new Map<number, Outcome[]>();
  /**
   * What was reached, by rising observation. Of those up to an observation the one that came last counts: a success
   * makes every one before it for the same observation or a newer one meaningless, so that these are taken out.
   */
  const reached: Outcome[] = [];
  return {
    add(outcome) {
      const { observation } = outcome.aim;
      const known = attempts.get(observation);
      if (known === undefined) attempts.set(observation, [outcome]);
      else known.push(outcome);
      if (outcome.phase !== 'succeeded' && outcome.phase !== 'awaiting-reboot') return;
      while ((reached.at(-1)?.aim.observation ?? -1) >= observation) reached.pop();
      reached.push(outcome);
    },
    attemptsAt: (n) => attempts.get(n) ?? [],
    runningBefore: (n) => reached[countUpTo(reached, n) - 1]?.aim.toplevel,
  };
}

/** How many of them are for observations up to `n`: they are in order. */
function countUpTo(reached: readonly Outcome[], n: number): number {
  let [low, high] = [0, reached.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((reached[middle]?.aim.observation ?? Infinity) <= n) low = middle + 1;
    else high = middle;
  }
  return low;
}
