import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Repository } from './models/model-source.ts';
import type { Systems } from './models/systems.ts';

/** What the ledger says against a system on one host, since that system is wanted there or a person asked for a retry. */
interface Blamed {
  readonly toplevel: StorePath;
  readonly evidence: boolean;
  readonly unconfirmed: number;
}

export interface IntentChecks {
  /** A fact became durable. */
  appended(fact: Fact): void;
  /** The newest observation, by what the repository really says. */
  newest(): FactOf<'observation'> | undefined;
}

/** Judges every intent at the moment it becomes durable, by the ledger and the repository alone. */
export function createIntentChecks(deps: {
  readonly repository: Repository;
  readonly systems: Systems;
  /** A host may return to what it was sent back to. */
  readonly isWayBack: (host: HostName, toplevel: StorePath) => boolean;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): IntentChecks {
  const { repository, systems, require } = deps;
  const holds = new Map<HostName, FactOf<'hold'>>();
  const blamed = new Map<HostName, Blamed>();
  const released = new Set<string>();
  let newest: FactOf<'observation'> | undefined;

  /** What the newest observation wants on a host; `undefined` if it does not name the host, or cannot be followed. */
  function wanted(host: HostName): StorePath | undefined {
    const revision = newest?.observation.revision;
    const content = revision === undefined ? undefined : repository.find(revision)?.content.hosts.get(host);
    return content === undefined ? undefined : systems.of(host, content).toplevel;
  }

  function checkIntent({ at, aim }: FactOf<'intent'>): void {
    const { deployment: id, host, toplevel } = aim;
    const hold = holds.get(host);
    const held = hold !== undefined && (hold.until === undefined || hold.until > at);
    require(!held, 0, host, `${id} is to be activated although the host is held`);
    const meant = wanted(host) === toplevel || deps.isWayBack(host, toplevel);
    require(meant, 5, host, `${id} is to be activated, and observation ${newest?.observation.n} wants something else`);
    const against = blamed.get(host);
    if (against?.toplevel !== toplevel) return;
    require(!against.evidence, 6, host, `${id} is to activate again what has failed here`);
    require(against.unconfirmed <
      2, 6, host, `${id} is to activate again what was not confirmed ${against.unconfirmed} times`);
  }

  function learnOutcome({ aim, phase, evidence }: FactOf<'outcome'>): void {
    const { host, toplevel } = aim;
    if (phase === 'succeeded' || phase === 'awaiting-reboot') {
      blamed.delete(host);
      return;
    }
    // What nobody wants any more is not held against it, should it be wanted once again; nor what nobody can know to be
    // wanted, since its tree has yet to be evaluated.
    if (newest?.key === undefined || !released.has(newest.key) || wanted(host) !== toplevel) return;
    const before = blamed.get(host);
    blamed.set(host, {
      toplevel,
      evidence: evidence || before?.evidence === true,
      unconfirmed: (before?.unconfirmed ?? 0) + (phase === 'unconfirmed' ? 1 : 0),
    });
  }

  return {
    newest: () => newest,
    appended(fact) {
      switch (fact.kind) {
        case 'observation':
          newest = fact;
          for (const [host, { toplevel }] of blamed) if (wanted(host) !== toplevel) blamed.delete(host);
          return;
        case 'release':
          released.add(fact.release.key);
          return;
        case 'hold':
          if (fact.scope.kind === 'host') holds.set(fact.scope.host, fact);
          return;
        case 'hold-lifted':
          if (fact.scope.kind === 'host') holds.delete(fact.scope.host);
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
