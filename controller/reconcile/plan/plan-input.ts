import type { HostContact } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import type { HostMemory, Memory, Setback } from '../../../shared/domain/memory.ts';
import type { HostName } from '../../../shared/domain/names.ts';

/** Everything that was read before deciding: a snapshot. */
export interface Observed {
  /** The store's present life: contacts of other lives do not count. */
  readonly incarnation: string;
  readonly memory: Memory;
  readonly contacts: ReadonlyMap<HostName, HostContact>;
  /** Deployments in the store. Terminal ones are ignored. */
  readonly deployments: readonly Deployment[];
}

/** How patient the reconciler is, in milliseconds. */
export interface Patience {
  /** Every host is probed at least this often. */
  readonly probeEveryMs: number;
  /** First wait after a setback; doubled with each one in a row. */
  readonly backOffMs: number;
  readonly longestBackOffMs: number;
  /** How soon a host with something under way that is not ours to see is looked at again. */
  readonly lookAgainMs: number;
}

/** `firstMs` for the first of `count` in a row, twice as long for each further one, at most `mostMs`. */
export function doubled(firstMs: number, count: number, mostMs: number): number {
  return Math.min(firstMs * 2 ** Math.min(count - 1, 20), mostMs);
}

/** What is said of a host until the pause after its last setback is over; `undefined`: it is. */
export function pausedAfter({ at, count, failure }: Setback, patience: Patience, now: number) {
  const until = at + backOff(count, patience);
  if (until <= now) return undefined;
  const { code, message } = failure;
  if (code === 'NOT_READY') return leftAlone(message, until);
  return {
    kind: 'wait',
    waitsFor: 'back-off',
    until,
    code,
    reason: `attempt ${count} failed: ${message}`,
  } as const;
}

/** Nothing was tried: a check has said that the host is to be left alone, and is asked again at `until`. */
export function leftAlone(why: string, until: number) {
  return { kind: 'wait', waitsFor: 'check', until, code: 'NOT_READY', reason: `left alone: ${why}` } as const;
}

/** Doubles with every setback in a row, in milliseconds. */
export function backOff(count: number, patience: Patience): number {
  return doubled(patience.backOffMs, count, patience.longestBackOffMs);
}

/** What is known of one host when it is judged. */
export interface HostView {
  readonly host: HostName;
  readonly spec: HostSpec | undefined;
  readonly remembered: HostMemory | undefined;
  /** Of the present incarnation only. */
  readonly contact: HostContact | undefined;
  readonly live: Deployment | undefined;
}

/** A host that the newest observation names. */
export type WantedView = HostView & { readonly spec: HostSpec };

export function isWanted(view: HostView): view is WantedView {
  return view.spec !== undefined;
}
