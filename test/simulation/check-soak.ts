import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import type { Had } from './had.ts';
import type { Looks } from './looks.ts';
import type { WorldPolicy } from './policy.ts';
import type { Rollouts } from './rollouts.ts';
import type { Spoken } from './spoken.ts';
import type { Wanted } from './wanted.ts';

interface Confirmed {
  readonly toplevel: StorePath;
  readonly at: number;
  readonly awaitsReboot: boolean;
}

export interface SoakChecks {
  /** A fact became durable. That a wave passed is learnt by others only after this. */
  appended(fact: Fact): void;
}

/**
 * No wave passes, and no later one is let in, before its hosts have had the release for its soak time: judged by the
 * times that the ledger has, when it is told of either.
 */
export function createSoakChecks(deps: {
  readonly policy: WorldPolicy;
  readonly wanted: Wanted;
  readonly spoken: Spoken;
  readonly looks: Looks;
  readonly rollouts: Rollouts;
  readonly had: Had;
  readonly isSentBack: (host: HostName, toplevel: StorePath, at: number) => boolean;
  readonly goesBackWithWave: (host: HostName, toplevel: StorePath) => boolean;
  /** The host really boots a system, and runs it, unless it awaits that boot. */
  readonly keeps: (host: HostName, toplevel: StorePath, awaitsReboot: boolean) => boolean;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): SoakChecks {
  const { policy, wanted, spoken, looks, rollouts, require } = deps;
  const { waves } = policy.rollout;
  const confirmed = new Map<HostName, Confirmed>();
  /** `<host> <toplevel>`: a check has left the host alone before that. */
  const leftAlone = new Set<string>();

  /** It says nothing about the release: nobody waits for it. */
  function isOut(host: HostName, { toplevel, awaitsReboot }: Confirmed, at: number): boolean {
    return (
      leftAlone.has(`${host} ${toplevel}`) ||
      spoken.isHeld(host, at) ||
      wanted.testedOn(host) !== undefined ||
      looks.mayBeAway(host) ||
      !deps.keeps(host, toplevel, awaitsReboot)
    );
  }

  function checkSoak(wave: (typeof waves)[number], at: number, what: string): void {
    if (wave.soakMs === 0 || rollouts.hasPassed(wave.name)) return;
    for (const host of wanted.hosts()) {
      const known = confirmed.get(host);
      if (policy.of(host).wave !== wave.name || known === undefined) continue;
      if (known.toplevel !== wanted.on(host) || isOut(host, known, at)) continue;
      const left = known.at + wave.soakMs - at;
      require(left <= 0, 0, host, `${what} ${left} ms before wave ${wave.name} has soaked`);
    }
  }

  function checkIntent({ at, aim }: FactOf<'intent'>): void {
    const { host, deployment, toplevel } = aim;
    if (toplevel !== wanted.on(host) || deps.had.has(host, toplevel)) return;
    if (deps.goesBackWithWave(host, toplevel) || deps.isSentBack(host, toplevel, at)) return;
    for (const wave of waves) {
      if (wave.name === policy.of(host).wave) return;
      checkSoak(wave, at, `${deployment} begins`);
    }
  }

  function learnOutcome({ at, aim, phase, failure }: FactOf<'outcome'>): void {
    const { host, toplevel, mode } = aim;
    if (mode === 'dry-activate') return;
    if (phase === 'succeeded' || phase === 'awaiting-reboot') {
      confirmed.set(host, { toplevel, at, awaitsReboot: phase === 'awaiting-reboot' });
      leftAlone.delete(`${host} ${toplevel}`);
    } else if (failure !== undefined) {
      // What speaks against it may keep it from counting.
      if (confirmed.get(host)?.toplevel === toplevel) confirmed.delete(host);
      if (failure.code === 'NOT_READY') leftAlone.add(`${host} ${toplevel}`);
    }
  }

  return {
    appended(fact) {
      switch (fact.kind) {
        case 'epoch':
          // Who takes office takes nothing for later than that.
          for (const [host, known] of confirmed) {
            confirmed.set(host, { ...known, at: Math.min(known.at, fact.at) });
          }
          return;
        case 'intent':
          checkIntent(fact);
          return;
        case 'outcome':
          learnOutcome(fact);
          return;
        case 'rollout': {
          const { change } = fact;
          const wave =
            change.kind === 'wave-passed' ? waves.find(({ name }) => name === change.wave) : undefined;
          if (wave !== undefined) checkSoak(wave, fact.at, `wave ${wave.name} passes`);
          return;
        }
        default:
          return;
      }
    },
  };
}
