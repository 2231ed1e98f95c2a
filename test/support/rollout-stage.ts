import { intentsOf } from '../../controller/reconcile/apply.ts';
import { plan, type Plan } from '../../controller/reconcile/plan/plan.ts';
import type { Patience } from '../../controller/reconcile/plan/plan-input.ts';
import type { PassResult } from '../../controller/reconcile/reconciler.ts';
import type { ViewContext } from '../../controller/views/context.ts';
import type { HostContact } from '../../shared/domain/contact.ts';
import type { Deployment } from '../../shared/domain/deployment.ts';
import type { Desired } from '../../shared/domain/desired.ts';
import type { Fact } from '../../shared/domain/facts.ts';
import type { Fleet, HostSpec } from '../../shared/domain/fleet.ts';
import { pinAt, type Memory } from '../../shared/domain/memory.ts';
import { createMemory } from '../../shared/domain/memory-keeper.ts';
import { parseDeploymentId, parseRevision, parseTree, type HostName } from '../../shared/domain/names.ts';
import type { RolloutPolicy, Wave } from '../../shared/domain/policy.ts';
import { plainRollout } from '../../shared/domain/policy.ts';
import type { Verdict } from '../../shared/domain/verdict.ts';
import {
  aDeployment,
  adopted,
  aFailure,
  aFleet,
  anObservation,
  anOutcome,
  aSpec,
  connection,
  drv,
  host as hostName,
  incarnation,
  observed,
  owner,
  reached,
  released,
  releaseKey,
  running,
  sha,
  toplevel,
  wanting,
} from './builders.ts';

export const patience: Patience = {
  probeEveryMs: 60_000,
  backOffMs: 1_000,
  longestBackOffMs: 60_000,
  lookAgainMs: 500,
};

export function aWave(name: string, change: Partial<Wave> = {}): Wave {
  return { name, maxUnavailable: undefined, soakMs: 0, approval: false, ...change };
}

export function aPolicy(waves: readonly Wave[], change: Partial<RolloutPolicy> = {}): RolloutPolicy {
  return { ...plainRollout, onFailure: 'halt', waves, ...change };
}

/**
 * A fleet on paper, for rules that show only over several passes: every delivery succeeds at once, activations end as
 * the test says, and time goes when the test says so.
 */
export class Stage {
  now = 1_000;
  readonly #keeper = createMemory();
  readonly #runs = new Map<HostName, string>();
  readonly #awaySince = new Map<HostName, number>();
  readonly #live = new Map<HostName, Deployment>();
  readonly #unwell = new Map<HostName, string>();
  readonly #fleet: Fleet;
  readonly #specs: ReadonlyMap<HostName, HostSpec>;
  #desired: Desired = { kind: 'unknown', reason: 'nothing yet' };
  #observations = 0;
  #made = 0;
  last: Plan | undefined;
  #result: PassResult | undefined;

  /** All hosts run and are confirmed on `A`, by observation 1. */
  constructor(
    hosts: Readonly<Record<string, Partial<HostSpec>>>,
    rollout: RolloutPolicy,
    change: Partial<Fleet> = {},
  ) {
    const specs = Object.entries(hosts).map(([name, spec]) => aSpec(name, spec));
    this.#fleet = aFleet(specs, { rollout, ...change });
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
    this.learn({ kind: 'genesis', at: 0, owner });
    for (const { name } of specs) {
      this.#runs.set(name, 'A');
      this.learn(adopted(name, toplevel('A', name)));
    }
    this.commit('A');
  }

  get memory(): Memory {
    return this.#keeper.memory;
  }

  /** What people are shown after the last pass. */
  get view(): ViewContext {
    return {
      at: this.now,
      memory: this.memory,
      source: { kind: 'unseen' },
      last: this.#result,
      activity: () => undefined,
    };
  }

  learn(...facts: readonly Fact[]): void {
    facts.forEach((fact) => this.#keeper.remember(fact));
  }

  /** A new observation, in which every host is to run the letter, or what `but` says. */
  commit(letter: string, but: Readonly<Record<string, string>> = {}): void {
    this.#observations += 1;
    this.now += 1_000;
    const wants = Object.fromEntries([...this.#runs.keys()].map((name) => [name, but[name] ?? letter]));
    const tree = `${letter}${JSON.stringify(but)}`;
    const at = { at: this.now };
    this.learn(observed(this.#observations, tree, at), released(tree, wants));
    const ready = wanting(this.#observations, tree, this.#fleet, wants);
    this.#desired =
      ready.kind === 'ready' ? { ...ready, observation: { ...ready.observation, ...at } } : ready;
  }

  /** The host's testing branch is seen on top of the newest observation, and has another system for it. */
  test(name: string, letter: string): void {
    const observation = this.memory.observations.at(-1);
    if (observation === undefined) throw new Error('there is nothing to be on top of');
    const branch = {
      revision: parseRevision(sha(`r${letter}`)),
      tree: parseTree(sha(`t${letter}`)),
      onto: observation.revision,
      key: releaseKey(`test of ${letter}`),
      author: 'Ada',
      subject: '',
      ignored: undefined,
    };
    this.learn(
      { kind: 'testing', at: this.now, host: hostName(name), branch },
      released(`test of ${letter}`, { [name]: letter }),
    );
  }

  /** A new observation that nobody can follow: its `varve.yaml` cannot be read. */
  breakManifest(): void {
    this.#observations += 1;
    this.now += 1_000;
    const observation = anObservation(this.#observations, 'broken', { at: this.now });
    this.learn({ kind: 'observation', at: this.now, observation, key: undefined });
    const failure = aFailure({ code: 'MANIFEST_INVALID', message: 'an unknown key' });
    const lastGood = this.#desired.kind === 'ready' ? this.#desired : undefined;
    this.#desired = { kind: 'blocked', observation, failure, fleet: undefined, lastGood };
  }

  /** One pass over a fleet that was probed just now; what it starts is under way afterwards. */
  pass(): ReadonlyMap<string, Verdict> {
    this.now += 10;
    const snapshot = {
      contacts: this.#contacts(),
      deployments: [...this.#live.values()],
      pending: new Set<string>(),
      evaluations: [],
    };
    const decide = (): Plan =>
      plan(this.#desired, { incarnation, memory: this.memory, ...snapshot }, patience, this.now);
    let made = decide();
    if (made.rollout !== undefined && made.rollout.facts.length > 0) {
      this.learn(...made.rollout.facts);
      made = decide();
    }
    this.last = made;
    this.#result = { ...made, at: this.now, desired: this.#desired, snapshot };
    const { verdicts } = made;
    this.learn(
      ...intentsOf({ verdicts, snapshot, memory: this.memory, desired: this.#desired, now: this.now }),
    );
    for (const verdict of verdicts) this.#carryOut(verdict);
    return new Map(verdicts.map((verdict) => [verdict.host, verdict]));
  }

  /** Passes until nothing moves without an end, and says who is being activated then. */
  settle(): readonly string[] {
    for (let i = 0; i < 10; i += 1) {
      const before = this.activating().join();
      const verdicts = [...this.pass().values()];
      const moving = verdicts.some(({ kind }) => kind === 'deliver' || kind === 'activate');
      if (!moving && this.activating().join() === before) break;
    }
    return this.activating();
  }

  /** Hosts with an activation that was let through and has not ended. */
  activating(): readonly string[] {
    return [...this.memory.hosts].filter(([, { openIntents }]) => openIntents.size > 0).map(([name]) => name);
  }

  /**
   * An activation ends: it worked, or the host is back on what it ran before, or stuck in between; or what it was to make
   * lasting had been replaced before it began.
   */
  end(name: string, how: 'ok' | 'failed' | 'stuck' | 'unconfirmed' | 'replaced' = 'ok'): void {
    const host = hostName(name);
    const deployment = this.#live.get(host);
    if (deployment === undefined) throw new Error(`nothing is under way on ${name}`);
    this.now += 10;
    this.#live.delete(host);
    const replaced = { code: 'DRIFTED', disposition: 'transient' } as const;
    const why = { message: `${name} broke`, ...(how === 'replaced' ? replaced : {}) };
    const failure = how === 'ok' ? undefined : aFailure(why);
    const phase = {
      ok: 'succeeded',
      failed: 'rolled-back',
      stuck: 'stuck',
      unconfirmed: 'unconfirmed',
      replaced: 'failed',
    } as const;
    const evidence = how === 'failed' || how === 'stuck';
    this.learn(anOutcome(deployment, { at: this.now, phase: phase[how], failure, evidence }));
    if (how !== 'ok') return;
    const letter = ['A', 'B', 'C', 'D'].find((each) => toplevel(each, name) === deployment.toplevel);
    this.#runs.set(host, letter ?? '?');
  }

  /** What is under way on a host. */
  live(name: string): Deployment | undefined {
    return this.#live.get(hostName(name));
  }

  endAll(): void {
    this.activating().forEach((name) => this.end(name));
  }

  /** Somebody switches a host to another system. */
  drift(name: string, letter: string): void {
    this.#runs.set(hostName(name), letter);
  }

  unwell(name: string, why: string): void {
    this.#unwell.set(hostName(name), why);
  }

  well(name: string): void {
    this.#unwell.delete(hostName(name));
  }

  away(...names: readonly string[]): void {
    names.forEach((name) => this.#awaySince.set(hostName(name), this.now));
  }

  /** A host turns out not to answer: the first probe in vain was asked for earlier. */
  silent(name: string, since: number): void {
    this.#awaySince.set(hostName(name), since);
  }

  back(...names: readonly string[]): void {
    names.forEach((name) => this.#awaySince.delete(hostName(name)));
  }

  /** Which letter each host runs: `canary B, web1 A`. */
  runs(): string {
    return [...this.#runs].map(([name, letter]) => `${name} ${letter}`).join(', ');
  }

  #contacts(): ReadonlyMap<HostName, HostContact> {
    return new Map(
      [...this.#runs].map(([name, letter]): [HostName, HostContact] => {
        const since = this.#awaySince.get(name);
        const unwell = this.#unwell.get(name);
        const checks =
          unwell === undefined ? [] : [{ name: 'check', healthy: false, message: unwell, intervalMs: 1_000 }];
        if (since === undefined) {
          return [name, { ...reached(name, running(toplevel(letter, name)), this.now), checks }];
        }
        const base = { host: name, incarnation, askedAt: this.now, at: this.now, since };
        const failure = aFailure({ code: 'HOST_UNREACHABLE', disposition: 'transient', message: 'no route' });
        return [name, { kind: 'unreachable', ...base, attempts: 5, failure }];
      }),
    );
  }

  #carryOut({ host, kind, toplevel: wanted }: Verdict): void {
    const live = this.#live.get(host);
    const gone = ['superseded', 'held', 'stalled', 'in-sync'].includes(kind) && live?.phase === 'delivered';
    if (gone) this.#live.delete(host);
    if (kind === 'deliver' && live === undefined && wanted !== undefined) {
      this.#made += 1;
      const isTest = this.memory.hosts.get(host)?.testing?.released?.toplevel === wanted;
      const goesBack = pinAt(this.memory.hosts.get(host), this.now)?.to.toplevel === wanted;
      this.#live.set(
        host,
        aDeployment({
          id: parseDeploymentId(`d${`${this.#made}`.padStart(6, '0')}`),
          host,
          observation: this.#observations,
          toplevel: wanted,
          drvPath: drv('X', host),
          phase: 'delivered',
          mode: isTest ? 'test' : (this.#specs.get(host)?.mode ?? 'switch'),
          checks: goesBack ? [] : (this.#specs.get(host)?.checks ?? []),
          next: connection,
        }),
      );
    }
    if (kind === 'activate' && live !== undefined) this.#live.set(host, { ...live, phase: 'activating' });
  }
}

const waves = [aWave('canary'), aWave('early'), aWave('rest')];

/** A canary, two early ones and three others, unless said otherwise. */
export function threeWaves(
  change: Partial<Parameters<typeof aPolicy>[1]> = {},
  inWaves = waves,
  specs: Readonly<Record<string, Partial<HostSpec>>> = {},
): Stage {
  const hosts: Record<string, Partial<HostSpec>> = {
    canary: { wave: 'canary' },
    early1: { wave: 'early' },
    early2: { wave: 'early' },
    web1: { wave: 'rest' },
    web2: { wave: 'rest' },
    web3: { wave: 'rest' },
  };
  for (const [name, spec] of Object.entries(specs)) hosts[name] = { ...hosts[name], ...spec };
  return new Stage(hosts, aPolicy(inWaves, change));
}
