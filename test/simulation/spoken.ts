import type { Fact, FactOf, Gate } from '../../shared/domain/facts.ts';
import type { HostName, StorePath } from '../../shared/domain/names.ts';
import { isIn, type Scope } from '../../shared/domain/policy.ts';
import type { WorldPolicy } from './policy.ts';

/** What people have said and not taken back, told from the facts alone. */
export interface Spoken {
  appended(fact: Fact): void;
  isSuspended(): boolean;
  /** The host, a group of its or the whole fleet is held. */
  isHeld(host: HostName, at: number): boolean;
  /** Closed windows and freezes do not count. */
  isOverridden(host: HostName, at: number): boolean;
  /** Where a person sent the host back to: it counts as long as the hold that came with it, or one that took its place. */
  sentBack(host: HostName, at: number): StorePath | undefined;
  /** The observations that were let through a gate. */
  approvals(gate: Gate): readonly number[];
}

function keyOf(scope: Scope): string {
  return JSON.stringify(scope);
}

function lasts({ until }: { readonly until: number | undefined }, at: number): boolean {
  return until === undefined || until > at;
}

export function createSpoken(policy: WorldPolicy): Spoken {
  const holds = new Map<string, FactOf<'hold'>>();
  const returns = new Map<HostName, StorePath>();
  const approved: FactOf<'approved'>[] = [];
  let overrides: readonly FactOf<'override'>[] = [];
  let suspended = false;

  function isMeant(scope: Scope, host: HostName): boolean {
    return isIn(scope, { name: host, groups: policy.of(host).groups });
  }

  function ownHold(host: HostName): FactOf<'hold'> | undefined {
    return holds.get(keyOf({ kind: 'host', host }));
  }

  /** A hold that comes when that of a roll back is over is nothing but a hold. */
  function replaceHold(fact: FactOf<'hold'>): void {
    if (fact.scope.kind === 'host') {
      const before = ownHold(fact.scope.host);
      if (before === undefined || !lasts(before, fact.at)) returns.delete(fact.scope.host);
    }
    holds.set(keyOf(fact.scope), fact);
  }

  return {
    isSuspended: () => suspended,
    isHeld: (host, at) => [...holds.values()].some((hold) => lasts(hold, at) && isMeant(hold.scope, host)),
    isOverridden: (host, at) => overrides.some((one) => lasts(one, at) && isMeant(one.scope, host)),
    sentBack(host, at) {
      const hold = ownHold(host);
      return hold !== undefined && lasts(hold, at) ? returns.get(host) : undefined;
    },
    approvals: ({ kind, name }) =>
      approved
        .filter(({ gate }) => gate.kind === kind && gate.name === name)
        .map(({ observation }) => observation),
    appended(fact) {
      switch (fact.kind) {
        case 'hold':
          replaceHold(fact);
          return;
        case 'hold-lifted':
          holds.delete(keyOf(fact.scope));
          if (fact.scope.kind === 'host') returns.delete(fact.scope.host);
          return;
        case 'pin':
          if (fact.cause === 'person') returns.set(fact.host, fact.to.toplevel);
          return;
        case 'suspended':
          suspended = true;
          return;
        case 'resumed':
          suspended = false;
          return;
        case 'override':
          overrides = [...overrides.filter(({ scope }) => keyOf(scope) !== keyOf(fact.scope)), fact];
          return;
        case 'approved':
          approved.push(fact);
          return;
        default:
          return;
      }
    },
  };
}
