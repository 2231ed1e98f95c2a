import type {
  AdoptRequest,
  ApproveRequest,
  CommandDone,
  HoldRequest,
  OverrideRequest,
  RevertDone,
  RollbackDone,
  RollbackRequest,
} from '../../shared/contracts/api-commands.ts';
import type { Systems } from '../../shared/domain/contact.ts';
import { failureOf, FleetError } from '../../shared/domain/errors.ts';
import type { Actor, Fact } from '../../shared/domain/facts.ts';
import { lasts, pinAt } from '../../shared/domain/memory.ts';
import type { HostName, Revision, StorePath } from '../../shared/domain/names.ts';
import { isIn, scopeText, scopeWord, type Scope } from '../../shared/domain/policy.ts';
import type { FleetBackend } from '../http/backend.ts';
import type { Controller } from '../reconcile/leader.ts';
import type { Reverter } from '../source/revert.ts';
import { memberAt, type ViewContext } from '../views/context.ts';
import { createActTimes } from './act-times.ts';
import { gateToOpen } from './approval.ts';
import { toRevert } from './brought.ts';
import { generationText, returnOf } from './return.ts';
import { mustKnow, scopeOf } from './scope.ts';

export interface PeopleDeps {
  readonly controller: Pick<Controller, 'command' | 'look'>;
  readonly reverter: Reverter;
  /** What the leader knows now. @throws FleetError NOT_LEADER */
  readonly led: () => ViewContext;
  /** The tracked ref. */
  readonly ref: string;
}

type PeopleCommands = Pick<
  FleetBackend,
  | 'retry'
  | 'adopt'
  | 'hold'
  | 'release'
  | 'suspend'
  | 'resume'
  | 'override'
  | 'approve'
  | 'rollback'
  | 'revert'
>;

/** What people say to the fleet. Each is a fact, and answered when that is durable. */
export function createPeopleCommands(deps: PeopleDeps): PeopleCommands {
  const timeOf = createActTimes();

  /** As the leader knows it, at the time of an act that becomes a fact. */
  function led(): ViewContext {
    const context = deps.led();
    return { ...context, at: timeOf(context.at) };
  }

  async function say(at: number, message: string, ...facts: readonly Fact[]): Promise<CommandDone> {
    if (facts.length > 0) await deps.controller.command(facts);
    return { done: true, at, message };
  }

  async function revert(revision: Revision, actor: Actor): Promise<RevertDone> {
    const { at } = deps.led();
    const made = await deps.reverter.revert({ revision, actor, at });
    deps.controller.look();
    return { reverted: made.reverted, revision: made.revision, ref: deps.ref, at };
  }

  return {
    revert,
    async retry(host, by) {
      const context = led();
      if (host !== undefined) mustKnow(context, host);
      const message =
        host === undefined
          ? 'every remembered failure is forgotten'
          : `the failures of ${host} are forgotten${failedElsewhere(context, host)}`;
      const drift = host === undefined ? undefined : shownDrift(context, host);
      return say(context.at, message, { kind: 'retry', at: context.at, host, by, drift });
    },
    async adopt(host, { takeover }: AdoptRequest, by) {
      const context = led();
      mustKnow(context, host);
      const { at } = context;
      return say(at, `${host} is adopted as soon as it is reached`, {
        kind: 'adopt-asked',
        at,
        host,
        by,
        takeover,
      });
    },
    async hold({ scope: word, reason, until }: HoldRequest, by) {
      const context = led();
      const scope = scopeOf(context, word);
      const { at } = context;
      return say(at, `${scopeText(scope)} is left as it is`, { kind: 'hold', at, scope, by, reason, until });
    },
    async release({ scope: word }, by) {
      const context = led();
      const scope = scopeOf(context, word);
      const { at } = context;
      const lifted = isHeld(context, scope) ? [{ kind: 'hold-lifted', at, scope, by } as const] : [];
      return say(at, afterRelease(context, scope, lifted.length > 0), ...lifted);
    },
    async suspend({ reason }, by) {
      const { at } = led();
      return say(at, 'nothing is begun anywhere until `varve resume`', { kind: 'suspended', at, by, reason });
    },
    async resume(by) {
      const { at, memory } = led();
      if (memory.suspended === undefined) return say(at, 'nothing was suspended');
      return say(at, 'everything goes on', { kind: 'resumed', at, by });
    },
    async override({ scope: word, reason, until }: OverrideRequest, by) {
      const context = led();
      const scope = scopeOf(context, word);
      const { at } = context;
      const message = `closed windows and freezes do not count for ${scopeText(scope)} for now`;
      return say(at, message, { kind: 'override', at, scope, by, reason, until });
    },
    async approve(request: ApproveRequest, by) {
      const context = led();
      const { kind, name, observation, approved } = gateToOpen(context, request);
      const what = `observation ${observation} is approved for ${kind} ${name}`;
      if (approved !== undefined) return say(approved.at, `${what} already, by ${approved.by}`);
      const { at } = context;
      return say(at, what, { kind: 'approved', at, observation, gate: { kind, name }, by });
    },
    async rollback(host, request: RollbackRequest, by): Promise<RollbackDone> {
      const context = led();
      mustKnow(context, host);
      const { at, memory } = context;
      const { reason, until } = request;
      const to = returnOf(context, host, request);
      const from = memory.hosts.get(host)?.desired;
      // One append: a pin without its hold would be undone by the next pass, a hold alone would keep what is bad.
      const done = await say(
        at,
        `${host} goes back to ${generationText(to)}, and is held there`,
        { kind: 'hold', at, scope: { kind: 'host', host }, by, reason, until },
        { kind: 'pin', at, host, by, reason, cause: 'person', to, from },
      );
      const { toplevel, observation } = to;
      const answer = { ...done, host, to: { toplevel, observation } };
      return request.revert ? { ...answer, ...(await tryRevert(host, to.toplevel, by)) } : answer;
    },
  };

  /** The roll back stands, whatever becomes of the revert. */
  async function tryRevert(
    host: HostName,
    to: StorePath,
    actor: Actor,
  ): Promise<Pick<RollbackDone, 'reverted' | 'revertFailure'>> {
    try {
      const { revision } = toRevert(deps.led().memory, host, to);
      return { reverted: await revert(revision, actor) };
    } catch (thrown) {
      return { revertFailure: failureOf(thrown) };
    }
  }
}

/** A wave that has failed on other hosts as well is not tried again for one of them. */
function failedElsewhere({ memory: { rollout, halted } }: ViewContext, host: HostName): string {
  for (const [wave, { hosts }] of [...(rollout?.failed ?? []), ...halted]) {
    const other = hosts.find((each) => each !== host);
    if (other !== undefined) {
      return `; wave ${wave} has failed on ${other}, and stays so until \`varve retry ${other}\`, or \`varve retry\` for all`;
    }
  }
  return '';
}

/** The drift of a host that people were shown: a retry replaces this one, and no other. */
function shownDrift({ last }: ViewContext, host: HostName): Systems | undefined {
  const contact = last?.snapshot.contacts.get(host);
  const drifted = last?.verdicts.some((each) => each.host === host && each.code === 'DRIFTED') ?? false;
  if (!drifted || contact?.kind !== 'reached') return undefined;
  const { current, profile, bootDefault } = contact.report;
  return { current, profile, bootDefault };
}

/** Is there something to lift: a hold of this very scope, or what a host is to return to? */
function isHeld({ memory, at }: ViewContext, scope: Scope): boolean {
  if (scope.kind !== 'host') {
    return memory.holds.some((hold) => scopeText(hold.scope) === scopeText(scope) && lasts(hold, at));
  }
  const remembered = memory.hosts.get(scope.host);
  const own = remembered?.hold;
  return (own !== undefined && lasts(own, at)) || pinAt(remembered, at) !== undefined;
}

/** What a release comes to: a host may still be under the hold of a group or of the fleet. */
function afterRelease(context: ViewContext, scope: Scope, lifted: boolean): string {
  const wider = scope.kind === 'host' ? widerHold(context, scope.host) : undefined;
  if (wider !== undefined) {
    const still = `${scopeText(wider)} is held`;
    if (lifted) return `${scopeText(scope)} is released, but ${still}: \`varve release ${scopeWord(wider)}\``;
    throw new FleetError({
      code: 'CONFLICT',
      disposition: 'stalled',
      message: `${scopeText(scope)} is not held by itself: ${still}`,
      hint: `\`varve release ${scopeWord(wider)}\` lets all of it go`,
    });
  }
  return lifted ? `${scopeText(scope)} follows again` : `${scopeText(scope)} was not held`;
}

function widerHold(context: ViewContext, host: HostName): Scope | undefined {
  const member = memberAt(context, host);
  return context.memory.holds.find((hold) => lasts(hold, context.at) && isIn(hold.scope, member))?.scope;
}
