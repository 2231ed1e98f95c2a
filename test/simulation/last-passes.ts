import type { Controller } from '../../controller/reconcile/leader.ts';
import type { PassResult } from '../../controller/reconcile/reconciler.ts';

/** Tells a pass that may be the last word from one that ended before there was something new to go by. */
export interface LastPasses {
  /** What has been decided so far is no last word any more. */
  outdate(): void;
  isOutdated(pass: PassResult): boolean;
}

export function createLastPasses(leaders: () => Iterable<Controller>): LastPasses {
  const outdated = new WeakSet<PassResult>();
  return {
    outdate() {
      for (const controller of leaders()) {
        const last = controller.reign()?.last;
        if (last !== undefined) outdated.add(last);
      }
    },
    isOutdated: (pass) => outdated.has(pass),
  };
}
