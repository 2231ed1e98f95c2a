import type { Fact } from '../../shared/domain/facts.ts';
import { notLeading, type CommandBox } from './reconciler.ts';

export interface Commands extends CommandBox {
  /** A leadership began: `ring` tells it that something waits. */
  open(ring: () => void): void;
  /** The leadership ended: what waits is answered with `error`, and so is all that comes. */
  shut(error: Error): void;
  /** Resolves when the facts are durable. */
  submit(facts: readonly Fact[]): Promise<void>;
}

/** People's commands between the API and the next pass. */
export function createCommands(): Commands {
  let waiting: { facts: readonly Fact[]; settled: (error?: Error) => void }[] = [];
  let ring: (() => void) | undefined;
  return {
    open(ringer) {
      ring = ringer;
    },
    shut(error) {
      ring = undefined;
      const left = waiting;
      waiting = [];
      left.forEach(({ settled }) => settled(error));
    },
    submit(facts) {
      if (ring === undefined) return Promise.reject(notLeading(undefined));
      const promise = new Promise<void>((resolve, reject) => {
        waiting.push({ facts, settled: (error) => (error === undefined ? resolve() : reject(error)) });
      });
      ring();
      return promise;
    },
    take() {
      const taken = waiting;
      waiting = [];
      return taken;
    },
  };
}
