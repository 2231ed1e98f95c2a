import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { DeploymentId, HostName, StorePath } from '../../shared/domain/names.ts';
import type { WorldPolicy } from './policy.ts';
import type { Had } from './had.ts';
import type { Looks } from './looks.ts';
import type { Rollouts } from './rollouts.ts';
import type { Spoken } from './spoken.ts';
import type { Wanted } from './wanted.ts';

export interface OrderChecks {
  /** A fact became durable. What people said and what is wanted has been learnt before. */
  appended(fact: Fact): void;
}

/**
 * Who goes before whom, judged when an intent becomes durable: the waves before, what a host comes after, and all others
 * where Varve runs on it. Each of those is done by the ledger, or there is a reason in the ledger or in the last looks
 * at it why nobody waits.
 */
export function createOrderChecks(deps: {
  readonly policy: WorldPolicy;
  readonly wanted: Wanted;
  readonly spoken: Spoken;
  readonly looks: Looks;
  readonly rollouts: Rollouts;
  readonly isSentBack: (host: HostName, toplevel: StorePath, at: number) => boolean;
  readonly goesBackWithWave: (host: HostName, toplevel: StorePath) => boolean;
  readonly had: Had;
  /** The host really runs a system, or boots it next. */
  readonly isThere: (host: HostName, toplevel: StorePath) => boolean;
  readonly require: (holds: boolean, invariant: number, host: HostName, what: string) => void;
}): OrderChecks {
  const { policy, wanted, spoken, looks, rollouts } = deps;
  const { rollout } = policy;
  const waves = rollout.waves.map(({ name }) => name);
  const open = new Map<DeploymentId, HostName>();
  /** What a host was last confirmed on, or would take, and what it ran when it was adopted. */
  const confirmed = new Map<HostName, StorePath>();
  /** What its last dry activation was of: a real one since then, as when a person has it go back, takes nothing of it back. */
  const tried = new Map<HostName, StorePath>();
  /** `<host> <toplevel>`: that came to nothing. */
  const refused = new Set<string>();
  /** `<host> <toplevel>`: a check has left the host alone before that, and nothing says that it would not again. */
  const leftAlone = new Set<string>();
  const pinned = new Set<HostName>();

  function isUnderWay(host: HostName): boolean {
    return [...open.values()].includes(host);
  }

  /** Why a host that is not done is not waited for. */
  function isOut(host: HostName, at: number): boolean {
    const what = `${host} ${wanted.on(host)}`;
    const givenUp = refused.has(what) && rollout.onFailure === 'continue';
    return (
      leftAlone.has(what) ||
      givenUp ||
      pinned.has(host) ||
      spoken.isHeld(host, at) ||
      wanted.testedOn(host) !== undefined ||
      looks.mayBeAway(host)
    );
  }

  function mustWaitFor(before: HostName, at: number): boolean {
    const toplevel = wanted.on(before);
    if (toplevel === undefined) return false;
    const isTried = policy.of(before).mode === 'dry-activate' && tried.get(before) === toplevel;
    const hasIt = confirmed.get(before) === toplevel || isTried || deps.isThere(before, toplevel);
    return !(hasIt && !isUnderWay(before)) && !isOut(before, at);
  }

  function checkIntent({ at, aim }: FactOf<'intent'>): void {
    const { host, deployment: id, toplevel } = aim;
    const withWave = deps.goesBackWithWave(host, toplevel);
    if ((toplevel !== wanted.on(host) && !withWave) || deps.isSentBack(host, toplevel, at)) return;
    const hasIt = withWave || deps.had.has(host, toplevel);
    const others = wanted.hosts().filter((other) => other !== host);
    const { wave, after, runsVarve } = policy.of(host);
    const earlier = (other: HostName): boolean => {
      const its = policy.of(other).wave;
      return waves.indexOf(its) < waves.indexOf(wave) && !rollouts.hasPassed(its);
    };
    for (const other of others) {
      const isBefore = !hasIt && (runsVarve || after.includes(other) || earlier(other));
      deps.require(
        !isBefore || !mustWaitFor(other, at),
        0,
        host,
        `${id} does not wait for ${other}, which comes first`,
      );
      // What brings no release waits for nobody, but goes alone.
      const isAmong = runsVarve && isUnderWay(other) && !looks.mayBeAway(other);
      deps.require(!isAmong, 0, host, `${id} begins on a host of Varve's while ${other} is under way`);
      const isAlone = policy.of(other).runsVarve && isUnderWay(other);
      deps.require(!isAlone, 0, host, `${id} begins while ${other}, on which Varve runs, is under way`);
    }
  }

  /** That a wave is through is said once, and stands. */
  function checkPassed({ at, change }: FactOf<'rollout'>): void {
    if (change.kind !== 'wave-passed') return;
    for (const host of wanted.hosts().filter((one) => policy.of(one).wave === change.wave)) {
      const isThrough = !mustWaitFor(host, at);
      deps.require(isThrough, 0, host, `wave ${change.wave} passes without ${host}`);
    }
  }

  function learnOutcome(fact: FactOf<'outcome'>): void {
    const { deployment, host, toplevel, mode } = fact.aim;
    open.delete(deployment);
    if (fact.phase === 'succeeded' || fact.phase === 'awaiting-reboot') {
      (mode === 'dry-activate' ? tried : confirmed).set(host, toplevel);
      leftAlone.delete(`${host} ${toplevel}`);
    } else if (fact.failure !== undefined) {
      refused.add(`${host} ${toplevel}`);
      if (fact.failure.code === 'NOT_READY') leftAlone.add(`${host} ${toplevel}`);
    }
  }

  return {
    appended(fact) {
      switch (fact.kind) {
        case 'intent':
          checkIntent(fact);
          open.set(fact.aim.deployment, fact.aim.host);
          return;
        case 'outcome':
          learnOutcome(fact);
          return;
        case 'adopted':
          if (fact.running !== undefined) confirmed.set(fact.host, fact.running);
          return;
        case 'pin':
          if (fact.cause === 'wave') pinned.add(fact.host);
          return;
        case 'retry':
          pinned.clear();
          return;
        case 'rollout':
          checkPassed(fact);
          return;
        default:
          return;
      }
    },
  };
}
