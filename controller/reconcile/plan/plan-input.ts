import type { HostContact } from '../../../shared/domain/contact.ts';
import type { Deployment } from '../../../shared/domain/deployment.ts';
import type { HostSpec } from '../../../shared/domain/fleet.ts';
import type { HostMemory, Memory } from '../../../shared/domain/memory.ts';
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

/** Doubles with every setback in a row, in milliseconds. */
export function backOff(count: number, patience: Patience): number {
  return Math.min(patience.backOffMs * 2 ** Math.min(count - 1, 20), patience.longestBackOffMs);
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
