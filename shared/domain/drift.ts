import type { StorePath } from './names.ts';

/** What a host is to run and to boot by what was confirmed there last; `undefined`: whatever it likes. */
export interface Expected {
  readonly runs: StorePath | undefined;
  readonly boots: StorePath | undefined;
}

export const driftKinds = ['profile', 'switched', 'booted', 'boot-default'] as const;

/**
 * What was done to a host: its profile was set; it was switched, and its profile was not set; it was booted into what
 * does not boot by default; another system was made to boot.
 */
export type DriftKind = (typeof driftKinds)[number];

/**
 * Somebody of whom a host's journal tells: who ran a command as root that changes systems, or who was logged in when
 * something was changed. Nothing says that they did it.
 */
export type Sighting =
  /** `command`: the program and what it was to do, in words that are known. */
  | { readonly kind: 'sudo'; readonly user: string; readonly command: string; readonly at: number }
  | { readonly kind: 'login'; readonly user: string; readonly from: string; readonly at: number };

/** How a host came to be other than it is expected to be, as far as it can tell. Times are by its own clock. */
export interface Drift {
  readonly kind: DriftKind;
  /** The profile generation that it has, or runs, now; `undefined`: the system is none. */
  readonly generation: number | undefined;
  readonly at: number | undefined;
  readonly sightings: readonly Sighting[];
}
