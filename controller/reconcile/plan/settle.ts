import type { HostContact, RecordedEnd } from '../../../shared/domain/contact.ts';
import { isActive, isTerminal, type Deployment } from '../../../shared/domain/deployment.ts';
import type { Failure } from '../../../shared/domain/errors.ts';
import type { Fact, FactOf } from '../../../shared/domain/facts.ts';
import type { Memory } from '../../../shared/domain/memory.ts';
import type { DeploymentId, HostName } from '../../../shared/domain/names.ts';
import type { ReleaseKey } from '../../../shared/domain/observation.ts';
import { compareTokens, type Token } from '../../../shared/domain/token.ts';
import { judgeEnd, type LeaderEvent } from '../../../shared/domain/transition.ts';
import type { EvaluationState } from '../../../shared/platform/ports/deployment-store.ts';
import { cannotStart } from './abandon.ts';
import { outcomeOf } from './aim.ts';
import { hasFailedTooLate, isDoubtful } from './doubt.ts';

/** What the live state and the hosts say that the ledger does not hold yet, and what may be dropped once it does. */
export interface Settlement {
  readonly facts: readonly Fact[];
  /** Terminal deployments that the ledger holds, or will after `facts`. */
  readonly finished: readonly Deployment[];
  /**
   * Deployments to be ended now: a store that was set back in time brought them up again although the ledger holds
   * how they ended (or will after `facts`), or their host has been fenced against their start.
   */
  readonly revived: readonly { readonly deployment: Deployment; readonly event: LeaderEvent }[];
  /** Evaluations whose outcome needs no more attention. */
  readonly evaluated: readonly ReleaseKey[];
  /** Evaluations that failed for passing reasons: to be asked for again. */
  readonly again: readonly { readonly key: ReleaseKey; readonly failure: Failure }[];
  /** Hosts on which an activation that may never have started is to be given up: raise their highest token to this. */
  readonly fences: ReadonlyMap<HostName, Token>;
}

export interface SettleInput {
  readonly memory: Memory;
  readonly deployments: readonly Deployment[];
  /** Of the present incarnation only. */
  readonly contacts: ReadonlyMap<HostName, HostContact>;
  readonly evaluations: readonly EvaluationState[];
  readonly now: number;
}

/** Pure. Runs before every plan, so that nothing is planned for deployments that have ended. */
export function settle(input: SettleInput): Settlement {
  const { memory, deployments, now } = input;
  const facts: Fact[] = [];
  const finished: Deployment[] = [];
  const revived: { deployment: Deployment; event: LeaderEvent }[] = [];
  const live = new Set<DeploymentId>();
  const doubtful: Deployment[] = [];
  for (const deployment of deployments) {
    const isUnknown = hasFailedTooLate(deployment, memory);
    if (isDoubtful(deployment, memory)) doubtful.push(deployment);
    else if (!isUnknown) live.add(deployment.id);
    const known = memory.outcomeOf.get(deployment.id);
    if (isTerminal(deployment)) {
      if (known === undefined && !isUnknown) facts.push(outcomeOf(deployment, now));
      finished.push(deployment);
    } else if (known !== undefined) {
      revived.push({ deployment, event: endAgain(deployment, known) });
    } else if (
      deployment.phase === 'activating' &&
      cannotStart(deployment, input.contacts.get(deployment.host))
    ) {
      revived.push({ deployment, event: { kind: 'lost', end: neverStarted } });
    }
  }
  const recovered = recover(input, live);
  for (const deployment of doubtful) {
    const known = recovered.facts.find((fact) => fact.aim.deployment === deployment.id);
    if (known !== undefined) revived.push({ deployment, event: endAgain(deployment, known) });
  }
  facts.push(...recovered.facts, ...adoptions(input));
  const evaluations = settleEvaluations(input);
  facts.push(...evaluations.facts);
  return {
    facts,
    finished,
    revived,
    evaluated: evaluations.evaluated,
    again: evaluations.again,
    fences: recovered.fences,
  };
}

function endAgain(deployment: Deployment, known: FactOf<'outcome'>): LeaderEvent {
  const why: Failure = {
    code: 'CONFLICT',
    disposition: 'transient',
    message: `the ledger holds its outcome already: ${known.phase}`,
  };
  return isActive(deployment)
    ? { kind: 'lost', end: { kind: 'failed', failure: why } }
    : { kind: 'cancel', why };
}

/** Intents whose deployment the store has lost, or knows too little of: the host's own record says how they ended. */
function recover(
  { memory, contacts, now }: SettleInput,
  live: ReadonlySet<DeploymentId>,
): { readonly facts: readonly FactOf<'outcome'>[]; readonly fences: ReadonlyMap<HostName, Token> } {
  const facts: FactOf<'outcome'>[] = [];
  const fences = new Map<HostName, Token>();
  for (const [host, remembered] of memory.hosts) {
    for (const intent of remembered.openIntents.values()) {
      if (live.has(intent.aim.deployment)) continue;
      const contact = contacts.get(host);
      if (contact?.kind !== 'reached') continue;
      const record = contact.report.records.find((known) => known.deployment === intent.aim.deployment);
      if (record !== undefined) {
        if (record.end !== undefined) facts.push(recovered(intent, record.end, now, record.previous));
        continue;
      }
      const highest = contact.report.highestToken;
      if (highest !== undefined && compareTokens(highest, intent.aim.token) >= 0) {
        facts.push(recovered(intent, neverStarted, now, undefined));
      } else {
        const fence = fences.get(host);
        if (fence === undefined || compareTokens(fence, intent.aim.token) < 0) {
          fences.set(host, intent.aim.token);
        }
      }
    }
  }
  return { facts, fences };
}

const neverStarted: RecordedEnd = {
  kind: 'failed',
  failure: {
    code: 'CANCELLED',
    disposition: 'transient',
    message: 'it was never started on the host, and cannot be any more',
  },
};

function recovered(
  intent: FactOf<'intent'>,
  end: RecordedEnd,
  at: number,
  previous: FactOf<'outcome'>['previous'],
): FactOf<'outcome'> {
  const { phase, failure, evidence } = judgeEnd(end);
  return {
    kind: 'outcome',
    at,
    aim: intent.aim,
    phase,
    connection: intent.connection,
    delivery: undefined,
    previous,
    failure,
    evidence,
    reason: intent.reason,
    createdAt: intent.createdAt,
    timeline: { pending: intent.createdAt, [phase]: at },
  };
}

function adoptions({ memory, contacts, now }: SettleInput): readonly Fact[] {
  const facts: Fact[] = [];
  for (const [host, contact] of contacts) {
    if (contact.kind !== 'reached' || contact.report.owner === undefined) continue;
    const remembered = memory.hosts.get(host);
    if (contact.report.owner !== memory.owner) continue;
    const asked = remembered?.adoptAsked;
    // Asked for a host that was ours before: carried out as well, or the permission to take it over would never end.
    if (remembered?.adopted !== undefined && (asked === undefined || contact.askedAt < asked.at)) continue;
    facts.push({
      kind: 'adopted',
      at: now,
      host,
      by: asked?.by ?? 'varve',
      takeover: asked?.takeover ?? false,
      running: contact.report.current,
      connection: contact.connection,
    });
  }
  return facts;
}

function settleEvaluations({
  memory,
  evaluations,
  now,
}: SettleInput): Pick<Settlement, 'facts' | 'evaluated' | 'again'> {
  const facts: Fact[] = [];
  const evaluated: ReleaseKey[] = [];
  const again: { key: ReleaseKey; failure: Failure }[] = [];
  for (const { request, outcome } of evaluations) {
    if (outcome === undefined) continue;
    const { key, tree } = request;
    if (outcome.kind === 'complete') {
      if (!memory.releases.has(key)) {
        facts.push({ kind: 'release', at: now, release: outcome.release, durationMs: outcome.durationMs });
      }
      evaluated.push(key);
    } else if (outcome.failure.disposition === 'stalled') {
      if (!memory.failedEvaluations.has(key)) {
        facts.push({ kind: 'evaluation-failed', at: now, key, tree, failure: outcome.failure });
      }
      evaluated.push(key);
    } else {
      again.push({ key, failure: outcome.failure });
    }
  }
  return { facts, evaluated, again };
}
