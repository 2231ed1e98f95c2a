/** The closed list of places where a test can make a process die. Before and after each act that others can see. */
export const faultPointNames = [
  'before-create',
  'after-create',
  'before-compare-and-set',
  'after-compare-and-set',
  'before-enqueue',
  'after-enqueue',
  'before-guard-send',
  'after-guard-send',
  'before-acknowledge',
  'after-acknowledge',
  'before-ledger-commit',
  'after-ledger-commit',
] as const;

export type FaultPointName = (typeof faultPointNames)[number];

/** A no-op unless `main.ts` was started for a test. */
export type FaultPoint = (name: FaultPointName) => Promise<void>;

export const noFaults: FaultPoint = async () => {};
