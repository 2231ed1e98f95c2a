/**
 * What orders activations on a host. `epoch` rises with every leadership (it is pushed to the ledger first),
 * `counter` within one. A host accepts only a token strictly above the highest it has seen.
 */
export interface Token {
  readonly epoch: number;
  readonly counter: number;
}

/** Negative, zero or positive, as `a` is below, equal to or above `b`. */
export function compareTokens(a: Token, b: Token): number {
  return a.epoch - b.epoch || a.counter - b.counter;
}
