import type { ActView } from '../../shared/contracts/api-history.ts';
import type { FactOf } from '../../shared/domain/facts.ts';
import type { Act } from '../../shared/domain/memory.ts';
import type { HostName } from '../../shared/domain/names.ts';
import { fleetWord, isIn, scopeWord, type Member, type Scope } from '../../shared/domain/policy.ts';
import { rolloutText } from '../../shared/domain/rollout-text.ts';
import { memberAt, type ViewContext } from './context.ts';

/** What was said of a host, of its groups, and of the whole fleet; newest first. */
export function actsAbout(context: ViewContext, host: HostName, limit: number): ActView[] {
  const member = memberAt(context, host);
  return context.memory.acts
    .filter((act) => concerns(act, member))
    .slice(-limit)
    .toReversed()
    .map(actOf);
}

function concerns(act: Act, member: Member): boolean {
  switch (act.kind) {
    case 'hold':
    case 'hold-lifted':
    case 'override':
      return isIn(act.scope, member);
    case 'suspended':
    case 'resumed':
      return true;
    case 'pin':
    case 'adopted':
      return act.host === member.name;
    case 'retry':
      return act.host === undefined || act.host === member.name;
    case 'approved':
    case 'rollout':
    case 'epoch':
      return false;
  }
}

function backTo({ to }: FactOf<'pin'>): string {
  return `back to generation ${to.observation}`;
}

/** Whom an act is about, where that is not one host. */
function about(scope: Scope): Pick<ActView, 'host' | 'scope'> {
  return scope.kind === 'host' ? { host: scope.host } : { scope: scopeWord(scope) };
}

/** An act as people read it. */
export function actOf(fact: Act): ActView {
  switch (fact.kind) {
    case 'hold':
    case 'override':
      return {
        at: fact.at,
        by: fact.by,
        act: fact.kind,
        ...about(fact.scope),
        text: fact.reason,
        until: fact.until,
      };
    case 'hold-lifted':
      return { at: fact.at, by: fact.by, act: 'hold-lifted', ...about(fact.scope), text: 'released' };
    case 'suspended':
      return { at: fact.at, by: fact.by, act: 'suspended', scope: fleetWord, text: fact.reason };
    case 'resumed':
      return { at: fact.at, by: fact.by, act: 'resumed', scope: fleetWord, text: 'everything goes on' };
    case 'approved':
      return {
        at: fact.at,
        by: fact.by,
        act: 'approved',
        text: `observation ${fact.observation} for ${fact.gate.kind} ${fact.gate.name}`,
      };
    case 'pin':
      return {
        at: fact.at,
        by: fact.by,
        act: 'rollback',
        host: fact.host,
        text: `${backTo(fact)}: ${fact.reason}`,
      };
    case 'rollout':
      return { at: fact.at, by: 'varve', act: 'rollout', text: rolloutText(fact) };
    case 'retry':
      return {
        at: fact.at,
        by: fact.by,
        act: 'retry',
        host: fact.host,
        text: 'remembered failures forgotten',
      };
    case 'adopted':
      return {
        at: fact.at,
        by: fact.by,
        act: 'adopt',
        host: fact.host,
        text: fact.takeover ? 'taken over' : 'adopted',
      };
    case 'epoch':
      return { at: fact.at, by: fact.leader, act: 'leader', text: `leads, epoch ${fact.epoch}` };
  }
}
