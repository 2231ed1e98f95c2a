/** Who may lead. Advisory: epochs in the ledger and tokens on hosts are what keeps two leaders apart. */
export interface Lease {
  /** True: this holder has the lease for `ttlMs` from now (taken or renewed). @throws FleetError STORE_UNAVAILABLE */
  hold(holder: string, ttlMs: number): Promise<boolean>;
  /** Who has it now. */
  holder(): Promise<string | undefined>;
  release(holder: string): Promise<void>;
}
