import type { FaultKind } from './faults.ts';
import type { HostSabotage } from './models/machine.ts';
import type { LedgerServerDeps } from './models/model-ledger.ts';
import type { StoreServerDeps } from './models/model-store.ts';

/** Rules of the models that are switched off, to show that the invariants notice. */
export interface Sabotage {
  readonly host?: HostSabotage;
  readonly store?: StoreServerDeps['sabotage'];
  readonly ledger?: LedgerServerDeps['sabotage'];
}

export interface WorldSpec {
  readonly seed: string;
  readonly hosts: number;
  readonly controllers: number;
  readonly workers: number;
  readonly faults: ReadonlySet<FaultKind>;
  readonly traced: boolean;
  readonly sabotage?: Sabotage;
}
