import type { Random } from './random.ts';

/** Every way in which the world can turn against Varve. */
export const faultKinds = [
  'crash-controller',
  'crash-worker',
  'pause-controller',
  'pause-worker',
  'redis-lost',
  'redis-rewound',
  'redis-down',
  'request-lost',
  'reply-lost',
  'notice-lost',
  'job-twice',
  'job-lost',
  'lease-lost',
  'ledger-down',
  'source-down',
  'step-fails',
  'message-lost',
  'message-late',
  'message-overtaken',
  'network-cut',
  'host-hung',
  'power-cut',
  'switch-lock',
  'clock-step',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Faults {
  /** Whether this fault happens here and now; counted when it does. */
  strikes(kind: FaultKind, probability: number): boolean;
  enabled(kind: FaultKind): boolean;
  /** Counts a fault that was injected from outside a model. */
  count(kind: FaultKind): void;
  /** From here on nothing fails any more. */
  stop(): void;
  stopped(): boolean;
  counts(): ReadonlyMap<FaultKind, number>;
}

/**
 * Each kind has a stream of its own: switching one off leaves the others where they were. In some stories what is rare
 * elsewhere happens all the time: two rare things at once are where rules are needed.
 */
export function createFaults(random: Random, kinds: ReadonlySet<FaultKind>): Faults {
  const streams = new Map<FaultKind, Random>(faultKinds.map((kind) => [kind, random.fork(kind)]));
  const often = random.fork('often').pick([1, 1, 3, 6]);
  const counts = new Map<FaultKind, number>();
  let over = false;
  const enabled = (kind: FaultKind): boolean => !over && kinds.has(kind);
  const count = (kind: FaultKind): void => {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  };
  return {
    strikes(kind, probability) {
      if (!enabled(kind)) return false;
      const struck = streams.get(kind)?.chance(probability * often) === true;
      if (struck) count(kind);
      return struck;
    },
    enabled,
    count,
    stop() {
      over = true;
    },
    stopped: () => over,
    counts: () => counts,
  };
}

export function isFaultKind(text: string): text is FaultKind {
  return faultKinds.some((kind) => kind === text);
}
