import { FleetError } from '../../../shared/domain/errors.ts';
import { factKey, type Fact } from '../../../shared/domain/facts.ts';
import type { Appended, Ledger } from '../../../shared/platform/ports/ledger.ts';
import type { Faults } from '../faults.ts';
import type { Scheduler, SimProcess } from '../scheduler.ts';

export interface LedgerServer {
  /** A controller's own copy, with the head that it loaded. */
  connect(process: SimProcess): Ledger;
  /** Ground truth: what is durable. */
  facts(): readonly Fact[];
}

export interface LedgerServerDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly appended: (fact: Fact) => void;
  /** Intents become visible this much later than promised: to show that the checks notice. */
  readonly sabotage?: { readonly appendsLateMs?: number; readonly noCompare?: boolean };
}

/** The ledger's remote, in the memory of the simulation. */
export function createLedgerServer(deps: LedgerServerDeps): LedgerServer {
  const { scheduler, faults } = deps;
  const facts: Fact[] = [];
  const keys = new Set<string>();
  let commits = 0;

  function down(what: string): FleetError {
    return new FleetError({
      code: 'SOURCE_UNREACHABLE',
      disposition: 'transient',
      message: `the ledger's remote did not answer: ${what}`,
    });
  }

  function add(fact: Fact): void {
    facts.push(fact);
    deps.appended(fact);
  }

  return {
    facts: () => facts,
    connect(process) {
      let loaded: number | undefined;
      let last: Promise<unknown> = Promise.resolve();

      async function append(added: readonly Fact[]): Promise<Appended> {
        const kinds = added.map((fact) => fact.kind).join(' ');
        await scheduler.pass(process, `ledger append ${kinds}`);
        if (faults.strikes('ledger-down', 0.01)) throw down('push');
        if (loaded !== commits && deps.sabotage?.noCompare !== true) return { kind: 'conflict' };
        const fresh = new Map<string, Fact>();
        for (const fact of added) {
          const key = factKey(fact);
          if (!keys.has(key) && !fresh.has(key)) fresh.set(key, fact);
        }
        if (fresh.size === 0) return { kind: 'nothing-new', head: `${commits}` };
        commits += 1;
        for (const key of fresh.keys()) keys.add(key);
        const late = deps.sabotage?.appendsLateMs ?? 0;
        if (late > 0) {
          scheduler.after(undefined, late, 'ledger appends late', () => {
            for (const fact of fresh.values()) add(fact);
          });
        } else {
          for (const fact of fresh.values()) add(fact);
        }
        if (faults.strikes('ledger-down', 0.01)) {
          scheduler.note('  appended, but the answer is lost');
          throw down('push answer');
        }
        loaded = commits;
        return { kind: 'appended', head: `${commits}` };
      }

      return {
        async load() {
          await scheduler.pass(process, 'ledger load');
          if (faults.strikes('ledger-down', 0.03)) throw down('fetch');
          loaded = commits;
          return [...facts];
        },
        append(added) {
          // One after the other, in the order in which they were asked for.
          const appended = last.then(() => append(added));
          last = appended.catch(() => {});
          return appended;
        },
      };
    },
  };
}
