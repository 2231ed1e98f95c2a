import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Systems } from './models/systems.ts';
import type { Wanted } from './wanted.ts';

/** What the ledger says against a system on one host, since that system is wanted there or a person asked for a retry. */
interface Blamed {
  readonly toplevel: StorePath;
  readonly evidence: boolean;
  readonly unconfirmed: number;
}

export interface IntentChecks {
  /** A fact became durable. What is wanted has been learnt before. */
  appended(fact: Fact): void;
}

/** Judges every intent at the moment it becomes durable: it is for what is wanted, and for nothing that has failed. */
export function createIntentChecks(deps: {
  readonly wanted: Wanted;
  readonly systems: Systems;
  /** A host may return to what it was sent back to. */
  readonly isWayBack: (host: HostName, toplevel: StorePath) => boolean;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): IntentChecks {
  const { wanted, require } = deps;
  const blamed = new Map<HostName, Blamed>();

  function checkIntent({ aim, connection }: FactOf<'intent'>): void {
    const { deployment: id, host, toplevel, mode } = aim;
    const isTest = wanted.testedOn(host) === toplevel;
    const isWayBack = deps.isWayBack(host, toplevel);
    const meant = wanted.on(host) === toplevel || isTest || isWayBack;
    const newest = `observation ${wanted.newest()?.observation.n}`;
    require(isWayBack ||
      wanted.hosts().includes(host), 8, host, `${id} is for a host that is not there any more`);
    require(meant, 5, host, `${id} is to be activated, and ${newest} wants something else`);
    require(isWayBack ||
      isTest ||
      wanted.testedForSure(host) === undefined, 5, host, `${id} is not what the host tests`);
    require(!isTest ||
      isWayBack ||
      mode === 'test' ||
      mode === 'dry-activate', 3, host, `${id} would make lasting what is only tested`);
    // What is only tested is looked for where the tracked ref has it.
    const isThere = isTest || deps.systems.find(toplevel).port === connection.port;
    require(isThere, 6, host, `${id} is to be confirmed where its system does not answer`);
    const against = blamed.get(host);
    if (against?.toplevel !== toplevel) return;
    require(!against.evidence, 6, host, `${id} is to activate again what has failed here`);
    require(against.unconfirmed <
      2, 6, host, `${id} is to activate again what was not confirmed ${against.unconfirmed} times`);
  }

  function learnOutcome({ aim, phase, evidence }: FactOf<'outcome'>): void {
    const { host, toplevel } = aim;
    if (phase === 'succeeded' || phase === 'awaiting-reboot') {
      if (blamed.get(host)?.toplevel === toplevel) blamed.delete(host);
      return;
    }
    // What nobody wants any more is not held against it, should it be wanted once again; nor what nobody can know to be
    // wanted, since its tree has yet to be evaluated.
    if (!wanted.isEvaluated()) return;
    if (wanted.on(host) !== toplevel && wanted.testedForSure(host) !== toplevel) return;
    const before = blamed.get(host);
    const same = before?.toplevel === toplevel ? before : undefined;
    blamed.set(host, {
      toplevel,
      evidence: evidence || same?.evidence === true,
      unconfirmed: (same?.unconfirmed ?? 0) + (phase === 'unconfirmed' ? 1 : 0),
    });
  }

  return {
    appended(fact) {
      switch (fact.kind) {
        case 'observation':
          for (const [host, { toplevel }] of blamed) if (wanted.on(host) !== toplevel) blamed.delete(host);
          return;
        case 'testing':
          // What failed on a branch is held against nothing but what the branch is then.
          if (blamed.get(fact.host)?.toplevel !== wanted.testedOn(fact.host)) blamed.delete(fact.host);
          return;
        case 'retry':
          if (fact.host === undefined) blamed.clear();
          else blamed.delete(fact.host);
          return;
        case 'intent':
          checkIntent(fact);
          return;
        case 'outcome':
          learnOutcome(fact);
          return;
        default:
          return;
      }
    },
  };
}
