import type { Fact, FactOf, Gate } from '../../shared/domain/facts.ts';
import type { HostName } from '../../shared/domain/names.ts';
import type { Scope } from '../../shared/domain/policy.ts';
import type { Features } from './features.ts';
import type { WorldPolicy } from './policy.ts';
import { drawScope } from './policy-times.ts';
import type { Random } from './random.ts';

/** What people ask Varve for. */
export interface People {
  /** Through whichever controller answers. */
  command(): readonly Fact[];
  /** What they still have to say once nothing fails any more, so that the fleet gets what it waits for. */
  lastWords(): readonly Fact[];
  /** They have said that, and wait for the answer. */
  said(facts: readonly Fact[]): void;
  heard(facts: readonly Fact[]): void;
}

const by = 'someone';
const minuteMs = 60_000;

export function createPeople(deps: {
  readonly random: Random;
  readonly now: () => number;
  readonly names: readonly HostName[];
  readonly policy: WorldPolicy;
  readonly features: Features;
  /** What the ledger holds. */
  readonly facts: () => readonly Fact[];
}): People {
  const { random, names, policy, features } = deps;
  // A stream of its own: stories without features stay as they are.
  const own = random.fork('features');
  /** Some never let in what waits for them, and leave suspended what they suspended: that is theirs to say. */
  const sayTheLastWord = own.chance(0.6);
  const groups = policy.groups.map(({ name }) => name);
  const gates: readonly Gate[] = [
    ...policy.rollout.waves
      .filter(({ approval }) => approval)
      .map(({ name }) => ({ kind: 'wave', name }) as const),
    ...policy.groups.filter(({ approval }) => approval).map(({ name }) => ({ kind: 'group', name }) as const),
  ];

  function approve(at: number, gate: Gate): readonly Fact[] {
    const newest = deps.facts().findLast((fact) => fact.kind === 'observation')?.observation.n;
    return newest === undefined ? [] : [{ kind: 'approved', at, observation: newest, gate, by }];
  }

  function suspendOrResume(at: number): readonly Fact[] {
    return isSuspended()
      ? [{ kind: 'resumed', at, by }]
      : [{ kind: 'suspended', at, by, reason: 'an incident' }];
  }

  function isSuspended(): boolean {
    const last = deps.facts().findLast(({ kind }) => kind === 'suspended' || kind === 'resumed');
    return last?.kind === 'suspended';
  }

  function override(at: number, scope: Scope, forMs: number): FactOf<'override'> {
    return { kind: 'override', at, scope, by, reason: 'urgent', until: at + forMs };
  }

  /** To what ran there before; the hold that comes with it is what keeps the host there. */
  function rollBack(at: number, host: HostName): readonly Fact[] {
    const ran = deps.facts().flatMap((fact) => {
      if (fact.kind === 'adopted' && fact.host === host && fact.running !== undefined) {
        return [{ toplevel: fact.running, drvPath: undefined, observation: 0 }];
      }
      if (fact.kind !== 'outcome' || fact.phase !== 'succeeded' || fact.aim.host !== host) return [];
      const { toplevel, drvPath, observation } = fact.aim;
      return [{ toplevel, drvPath, observation }];
    });
    const last = ran.at(-1)?.toplevel;
    const others = ran.filter(({ toplevel }) => toplevel !== last);
    if (others.length === 0) return [];
    const until = own.chance(0.5) ? undefined : at + own.int(6 * minuteMs);
    const reason = 'the shop is down';
    const to = own.pick(others);
    return [
      { kind: 'hold', at, scope: { kind: 'host', host }, by, reason, until },
      { kind: 'pin', at, host, by, reason, cause: 'person', to, from: undefined },
    ];
  }

  function holdMany(at: number): readonly Fact[] {
    const scope = drawScope(own, names, groups);
    if (own.chance(0.3)) return [{ kind: 'hold-lifted', at, scope, by }];
    return [{ kind: 'hold', at, scope, by, reason: 'hands off', until: at + own.int(2 * minuteMs) }];
  }

  const special: readonly ((at: number) => readonly Fact[])[] = [
    ...(gates.length > 0
      ? Array.from({ length: 3 }, () => (at: number) => approve(at, own.pick(gates)))
      : []),
    ...(features.has('windows') || features.has('freezes')
      ? [(at: number) => [override(at, drawScope(own, names, groups), own.int(3 * minuteMs))]]
      : []),
    ...(features.has('suspensions') ? [suspendOrResume] : []),
    ...(features.has('roll-backs')
      ? Array.from({ length: 2 }, () => (at: number) => rollBack(at, own.pick(names)))
      : []),
    ...(features.has('groups') ? [holdMany] : []),
  ];

  function usual(at: number): readonly Fact[] {
    const host = random.pick(names);
    switch (random.pick(['hold', 'hold', 'hold-lifted', 'retry', 'retry all'])) {
      case 'hold':
        return [
          {
            kind: 'hold',
            at,
            scope: { kind: 'host', host },
            by,
            reason: 'hands off',
            until: at + random.int(120_000),
          },
        ];
      case 'hold-lifted':
        return [{ kind: 'hold-lifted', at, scope: { kind: 'host', host }, by }];
      case 'retry':
        return [{ kind: 'retry', at, host, by, drift: undefined }];
      default:
        return [{ kind: 'retry', at, host: undefined, by, drift: undefined }];
    }
  }

  /** Freezes that go on for longer than anybody waits. */
  function overrides(at: number): readonly Fact[] {
    const known = deps.facts();
    return policy.freezes
      .filter(({ until }) => until > at + 30 * minuteMs)
      .filter(
        ({ scope }) =>
          !known.some(
            (fact) =>
              fact.kind === 'override' &&
              fact.until > at + minuteMs &&
              JSON.stringify(fact.scope) === JSON.stringify(scope),
          ),
      )
      .map(({ scope }) => override(at, scope, 24 * 60 * minuteMs));
  }

  /** Who gets no answer says it again, once there is one to be had. */
  let unheard: readonly Fact[] = [];
  let lastAt = -Infinity;

  /** Of their own for each act, as `createActTimes` gives them: otherwise one is taken for a repeat of another. */
  function actAt(): number {
    lastAt = Math.max(deps.now(), lastAt + 1);
    return lastAt;
  }

  return {
    said: (facts) => void (unheard = facts),
    heard(facts) {
      if (unheard === facts) unheard = [];
    },
    command() {
      const at = actAt();
      return special.length > 0 && own.chance(0.6) ? own.pick(special)(at) : usual(at);
    },
    lastWords() {
      if (unheard.length > 0) return unheard.map((fact) => ({ ...fact, at: actAt() }));
      if (!sayTheLastWord || (special.length === 0 && policy.freezes.length === 0)) return [];
      const at = deps.now();
      const known = deps.facts();
      return [
        ...(isSuspended() ? [{ kind: 'resumed', at, by } as const] : []),
        ...gates
          .flatMap((gate) => approve(at, gate))
          .filter(
            (fact) =>
              !known.some(
                (one) =>
                  one.kind === 'approved' &&
                  fact.kind === 'approved' &&
                  one.observation === fact.observation &&
                  one.gate.name === fact.gate.name &&
                  one.gate.kind === fact.gate.kind,
              ),
          ),
        ...overrides(at),
      ];
    },
  };
}
