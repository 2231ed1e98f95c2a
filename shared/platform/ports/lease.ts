/** Who wants to lead, or leads. */
export interface Holder {
  /** Where others find it: the address of its API, or a mere name. */
  readonly name: string;
  /** Tells it from another one that was given the same name. */
  readonly id: string;
}

/** Who may lead. Advisory: epochs in the ledger and tokens on hosts are what keeps two leaders apart. */
export interface Lease {
  /** True: this holder has the lease for `ttlMs` from now (taken or renewed). @throws FleetError STORE_UNAVAILABLE */
  hold(holder: Holder, ttlMs: number): Promise<boolean>;
  /** Who has it now. */
  holder(): Promise<Holder | undefined>;
  release(holder: Holder): Promise<void>;
}
