import { decodeFact } from '../../controller/ledger/codec.ts';
import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import { readLedger } from './varve.ts';

/** What a ledger says, read by Git alone, for tests that ask about single hosts. */
export interface LedgerFacts {
  readonly all: readonly Fact[];
  /** Of one host, oldest first; of one revision, if it is given. */
  intents(host: string, revision?: string): readonly FactOf<'intent'>[];
  outcomes(host: string, revision?: string): readonly FactOf<'outcome'>[];
}

/** @throws FleetError LEDGER_BROKEN for a line that no Varve writes */
export async function readFacts(dataDir: string): Promise<LedgerFacts> {
  const lines = await readLedger(dataDir);
  const all = lines.map((line) => decodeFact(JSON.stringify(line), 'the ledger'));
  const intents = all.filter((fact) => fact.kind === 'intent');
  const outcomes = all.filter((fact) => fact.kind === 'outcome');
  const isAbout = ({ aim }: FactOf<'intent' | 'outcome'>, host: string, revision?: string): boolean =>
    aim.host === host && (revision === undefined || aim.revision === revision);
  return {
    all,
    intents: (host, revision) => intents.filter((fact) => isAbout(fact, host, revision)),
    outcomes: (host, revision) => outcomes.filter((fact) => isAbout(fact, host, revision)),
  };
}
