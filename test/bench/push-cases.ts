import type { ClosureKind } from '../support/closures.ts';

export type Theirs = 'ssh-ng' | 'ssh';

/**
 * A way to send: ours with an open connection and all archives on disk, ours with neither, and `nix copy` over one of its
 * two protocols, which always begins with a new connection.
 */
export type Way = 'warm' | 'cold' | Theirs;

/** What is promised: theirs takes at least so many times what ours takes. */
export interface Promised {
  readonly ours: 'warm' | 'cold';
  readonly theirs: Theirs;
  readonly atLeast: number;
}

/** Ways that are measured turn by turn, on the same closure. */
export interface PushCase {
  readonly name: string;
  readonly closure: ClosureKind;
  readonly roundTripMs: 0 | 40 | 100;
  /** How many hosts get it at the same time. */
  readonly hosts: number;
  /** What is compared: the time that it takes, or the processor time of the sending side. */
  readonly of: 'time' | 'processor';
  /** The hosts have it already. */
  readonly there: boolean;
  /** Too large to be made for each run: the same is sent again, to a host that has lost it. */
  readonly once: boolean;
  readonly promised: readonly Promised[];
}

const small = { kind: 'system', paths: 204, bytes: 22_000_000 } as const;
const large = { kind: 'system', paths: 1_004, bytes: 104_000_000 } as const;
const huge = { kind: 'huge', bytes: 1_000_000_000 } as const;
const usual = { hosts: 1, of: 'time', there: false, once: false } as const;
const warmly = (atLeast: number): readonly Promised[] => [{ ours: 'warm', theirs: 'ssh-ng', atLeast }];

export const pushCases: readonly PushCase[] = [
  { ...usual, name: '204 paths, straight', closure: small, roundTripMs: 0, promised: warmly(1.3) },
  {
    ...usual,
    name: '204 paths, 40 ms',
    closure: small,
    roundTripMs: 40,
    promised: [
      { ours: 'warm', theirs: 'ssh-ng', atLeast: 1.6 },
      { ours: 'cold', theirs: 'ssh-ng', atLeast: 1.2 },
      { ours: 'warm', theirs: 'ssh', atLeast: 10 },
    ],
  },
  {
    ...usual,
    name: '204 paths, 100 ms',
    closure: small,
    roundTripMs: 100,
    promised: [
      { ours: 'warm', theirs: 'ssh-ng', atLeast: 2.7 },
      { ours: 'cold', theirs: 'ssh-ng', atLeast: 1.7 },
      { ours: 'warm', theirs: 'ssh', atLeast: 20 },
    ],
  },
  {
    ...usual,
    name: 'nothing missing of 204 paths, 100 ms',
    closure: small,
    roundTripMs: 100,
    there: true,
    promised: warmly(5),
  },
  { ...usual, name: '1,004 paths, straight', closure: large, roundTripMs: 0, promised: warmly(1) },
  { ...usual, name: '1,004 paths, 40 ms', closure: large, roundTripMs: 40, promised: warmly(1.4) },
  { ...usual, name: '1,004 paths, 100 ms', closure: large, roundTripMs: 100, promised: warmly(1.5) },
  {
    ...usual,
    name: 'one path of 1 GB, straight',
    closure: huge,
    roundTripMs: 0,
    once: true,
    promised: warmly(0.9),
  },
  {
    ...usual,
    name: '8 hosts at once, 1,004 paths, straight, processor time of the sender',
    closure: large,
    roundTripMs: 0,
    hosts: 8,
    of: 'processor',
    promised: warmly(3),
  },
];
